"""docs/reliability.md says what the tests' own data say."""

from tests.conftest import REPOSITORY
from tests.crash.cluster import Broken
from tests.crash.victim import POINTS
from tests.reliability_tables import tables


def test_every_line_of_the_tables_is_in_the_docs() -> None:
    written = (REPOSITORY / "docs" / "reliability.md").read_text().splitlines()
    assert [line for line in tables().splitlines() if line not in written] == []


def test_everything_the_crash_test_breaks_has_a_line_in_the_record_of_its_last_run() -> None:
    written = (REPOSITORY / "docs" / "reliability.md").read_text()
    broken = [*(point.name for point in POINTS), *(str(what) for what in Broken)]
    assert [name for name in broken if f"\n| {name} | " not in written] == []
