"""docs/reliability.md says what the tests' own data say."""

from tests.conftest import REPOSITORY
from tests.reliability_tables import tables


def test_every_line_of_the_tables_is_in_the_docs() -> None:
    written = (REPOSITORY / "docs" / "reliability.md").read_text().splitlines()
    assert [line for line in tables().splitlines() if line not in written] == []
