"""Climbs of the ladder against the simulated AWS."""

from collections.abc import Callable
from typing import Any

import pytest

from ingestion.access.ladder import climb
from ingestion.access.rung import Rung
from ingestion.aws_calls import Calls
from tests.builders import ClientUnderTest, csv_gz

DATA = "exports/lines/2026-01.csv.gz"
Climbed = dict[str, Rung]
ClimbOf = Callable[[ClientUnderTest], Climbed]


@pytest.fixture(autouse=True)
def no_patience(settings: Any) -> None:
    """What is refused here stays refused."""
    settings.KCX_IAM_SECONDS = 0


@pytest.fixture
def delivered(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """A client whose bucket holds one billing file."""
    client_under_test.account.put_object(DATA, csv_gz("line,cost\n1,2\n"))
    return client_under_test


@pytest.fixture
def climbed() -> ClimbOf:
    """Climbs the ladder; the rungs by their code."""

    def of(client: ClientUnderTest) -> Climbed:
        reported: list[Rung] = []
        client.connection.refresh_from_db()
        rungs = climb(client.connection, reported.append, Calls("c0"))
        assert reported == rungs, "every rung is reported, in order"
        return {rung.code: rung for rung in rungs}

    return of
