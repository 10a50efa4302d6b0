"""Every compressed file and every CSV of the catalogue, from the bucket to its end."""

import pytest

from tests.builders import ClientUnderTest
from tests.ingestion.bad_inputs.cases import Accepted, Case, ingest, outcome, stored_rows
from tests.ingestion.bad_inputs.texts import COMPRESSED, CSV

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])


@pytest.mark.parametrize("cases", [COMPRESSED, CSV], ids=["compressed", "csv"])
def test_each_is_refused_by_its_code_or_stored_as_it_is(
    client_under_test: ClientUnderTest, cases: dict[str, Case]
) -> None:
    ingest(client_under_test, cases)
    wrong = {title: outcome(client_under_test, title, case) for title, case in cases.items()}
    assert {title: what for title, what in wrong.items() if what} == {}
    good = sum(len(case.rows) for case in cases.values() if isinstance(case, Accepted))
    assert stored_rows(client_under_test) == good + 1
