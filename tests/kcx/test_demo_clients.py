"""The demo's clients pass the whole access ladder unaided, but for the one whose role is unsafe."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database

from ingestion.access.check import run_access_check
from ingestion.access.enabling import enable
from ingestion.models import AccessCheck, ClientConnection, SourceFile
from ingestion.onboarding import onboard
from ingestion.pipeline import run
from ingestion.reruns import load_each, waiting
from kcx.dashboard.calendar import calendar
from kcx.dashboard.connections import Line, State, lines
from kcx.demo import clients
from kcx.demo.clients import (
    DAMAGED_FILES,
    EARLIEST,
    RESTATED,
    DemoClient,
    deliver_history,
    last_months,
    restate,
)
from kcx.simulated_aws.deliveries import BillingService
from tests.conftest import REPOSITORY

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("aws", "raw_database"),
]

# What AWS delivers is made in a moment with so few rows, and nothing else depends on how many there are.
CLIENTS = [
    replace(client, exports=tuple(replace(export, rows_per_part=20) for export in client.exports))
    for client in clients.CLIENTS
]
SAFE = [client for client in CLIENTS if client.asks_for_external_id]
UNSAFE = [client for client in CLIENTS if not client.asks_for_external_id]


def onboarded(client: DemoClient, **values: object) -> tuple[ClientConnection, BillingService]:
    """The client as the demo onboards it and AWS delivers to it."""
    account = client.account
    values |= {"role_arn": account.role_arn, "bucket": account.bucket}
    made = onboard(client.name, {**values, "prefix": account.prefix, "region": account.region})
    account.create_bucket()
    client.make_role(made.trust_policy, made.permission_policy)
    return made.connection, deliver_history(client)


def checked(client: DemoClient) -> tuple[ClientConnection, AccessCheck]:
    """The client onboarded, and what its access check found."""
    connection, _ = onboarded(client)
    check = run_access_check(connection.pk, "a test")
    assert check is not None
    return connection, check


def ingest(connection: ClientConnection) -> None:
    run.discover(connection.pk, "a test")
    for _file, _attempt in load_each(waiting(connection), "a test", lambda _rows, _bytes: None):
        pass


def shown(client: DemoClient) -> tuple[Line, dict[str, list[str]]]:
    """What the dashboard tells after the demo has ingested: the line, each export's cells, oldest first."""
    connection, service = onboarded(client, load_new_exports=True)
    enable(connection, "a test", "it is only a demo")
    ingest(connection)
    for refresh in range(1, 1 + len(RESTATED)):
        restate({client: service}, refresh)
        ingest(connection)
    rows = calendar(connection.exports.all(), last_months(1)[0]).rows
    cells = {
        row.export: [f"{cell.coverage.words}, {cell.detail}" for cell in reversed(row.cells) if cell]
        for row in rows
    }
    return next(line for line in lines() if line.id == connection.pk), cells


@pytest.mark.parametrize(("day", "running"), [(1, 11), (2, 11), (3, 12), (31, 12)])
def test_no_delivery_of_the_running_month_is_older_than_the_month(day: int, running: int) -> None:
    now = datetime(2026, 12, day, 1, tzinfo=UTC)
    assert last_months(2, now) == [date(2026, running - 1, 1), date(2026, running, 1)]
    assert all(ago <= EARLIEST for client in CLIENTS for export in client.exports for ago in export.delivered)


def test_the_demo_shows_a_client_whose_deliveries_are_late() -> None:
    line, cells = shown(CLIENTS[0])
    assert line.state is State.LATE
    assert cells == {"cur/hourly": ["Complete, 2 files"] * 4}


def test_the_demo_shows_a_client_whose_running_month_was_restated_and_a_file_that_is_none_of_awss() -> None:
    line, cells = shown(CLIENTS[1])
    assert line.state is State.FRESH
    assert line.expectation.expected is not None
    assert cells == {"exports/cur2": ["Complete, 3 files"] * 3 + ["Restated, 2 times"]}
    [own] = SourceFile.objects.filter(skip_reason=SourceFile.SkipReason.UNKNOWN)
    assert own.key == "exports/budget.xlsx"


def test_the_demo_shows_a_damaged_file_beside_good_ones_and_a_missing_month() -> None:
    line, cells = shown(CLIENTS[2])
    assert line.state is State.FAILED
    assert [(failed.code, failed.files) for failed in line.failed] == [("corrupt_gzip", DAMAGED_FILES)]
    assert cells == {
        "exports/cur2": ["Complete, 1 file"] * 3 + ["Restated, 2 times"],
        "exports/focus-1-2": [
            "Complete, 2 files",
            "Failed, 1 of 2 files",
            "Missing, no delivery",
            "Restated, 2 times",
        ],
    }


@pytest.mark.parametrize("client", SAFE, ids=lambda client: client.name)
def test_a_client_of_the_demo_passes_every_rung_and_may_be_enabled(client: DemoClient) -> None:
    connection, check = checked(client)
    assert {rung["code"]: rung["verdict"] for rung in check.rungs if rung["verdict"] != "passed"} == {}
    assert check.outcome == "PASSED"
    enable(connection, "a test")
    assert connection.enabled


def test_the_demo_has_one_client_whose_role_is_unsafe() -> None:
    assert [client.name for client in UNSAFE] == ["Drizzle Media"]


def test_the_unsafe_role_is_refused_for_that_alone_and_never_enabled() -> None:
    connection, check = checked(UNSAFE[0])
    failed = [rung["code"] for rung in check.rungs if rung["verdict"] != "passed"]
    assert failed == ["external_id_missing", "external_id_wrong"]
    with pytest.raises(ValidationError, match="without the right external id"):
        enable(connection, "a test", "it is only a demo")


def test_the_readmes_sql_has_an_answer_for_each_export_it_names() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    (query,) = re.findall(r"^    SELECT .*?;$", readme, re.MULTILINE | re.DOTALL)
    named = re.findall(r"^\| (\d), (.*?) \| `(.*?)` \| `(.*?)` \| `(.*?)` \|$", readme, re.MULTILINE)
    assert len(named) == sum(len(client.exports) for client in SAFE)
    assert {(client.name, export.spec.name) for client in SAFE for export in client.exports} == {
        (client, export) for _, client, export, _, _ in named
    }
    for client in SAFE:
        connection, _ = onboarded(client, load_new_exports=True)
        enable(connection, "a test", "it is only a demo")
        ingest(connection)
    for place, client, *words in named:
        assert SAFE[int(place) - 1].name == client
        own = ClientConnection.objects.get(client__name=client).pk
        asked = query.replace("connection_id = 1", f"connection_id = {own}")
        for word, other in zip(("hourly", "legacy_cur", "lineItem/UnblendedCost"), words, strict=True):
            assert word in asked
            asked = asked.replace(word, other)
        with database.cursor() as cursor:
            cursor.execute(asked)
            assert cursor.fetchall() != []
