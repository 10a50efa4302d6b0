"""Every Parquet file of the catalogue, and every cap, from the bucket to its end."""

from typing import Any

import pytest

from tests.builders import ClientUnderTest
from tests.ingestion.bad_inputs.cases import ingest, outcome
from tests.ingestion.bad_inputs.large import CAPS, LARGE
from tests.ingestion.bad_inputs.parquets import PARQUET

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])


def test_each_parquet_file_is_refused_by_its_code_or_stored_as_it_is(
    client_under_test: ClientUnderTest,
) -> None:
    ingest(client_under_test, PARQUET)
    wrong = {title: outcome(client_under_test, title, case) for title, case in PARQUET.items()}
    assert {title: what for title, what in wrong.items() if what} == {}


def test_each_cap_is_kept_and_a_file_at_the_cap_is_stored(
    client_under_test: ClientUnderTest, settings: Any
) -> None:
    for name, cap in CAPS.items():
        setattr(settings, name, cap)
    ingest(client_under_test, LARGE)
    wrong = {title: outcome(client_under_test, title, case) for title, case in LARGE.items()}
    assert {title: what for title, what in wrong.items() if what} == {}
