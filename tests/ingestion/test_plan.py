"""The plan: what would be loaded, what not and why, before anything is; and older deliveries on demand."""

import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.management.checking import actor
from ingestion.models import ClientConnection, Delivery, Export, SourceFile, StaffAction
from ingestion.plan import plan
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.ingestion.registered import an_export, failed, ingested

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

EXPORT = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)


def part(value: str) -> bytes:
    return csv_gz(f"identity/LineItemId,lineItem/v\nid,{value}\n")


def told(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def undecided(aws: SimulatedAws, raw_database: None) -> ClientUnderTest:
    """A connection that loads nothing without a decision, and a bucket with two months and some noise."""
    client = new_client(aws, enable=False)
    ClientConnection.objects.filter(pk=client.connection.pk).update(enabled=True)
    service = BillingService(client.account)
    for hour, month in enumerate([date(2026, 1, 1), date(2026, 2, 1), date(2026, 2, 1)]):
        service.deliver(EXPORT, month, [part("1"), part("2")], at=NOON + timedelta(hours=hour))
    client.account.put_object("exports/notes.txt", b"x")
    return client


def test_a_plan_names_exports_periods_files_bytes_and_what_is_left_out(undecided: ClientUnderTest) -> None:
    (planned,) = json.loads(told("discover", "--plan", "--json"))
    export, strangers = planned["exports"]
    waiting = SourceFile.objects.filter(status="NEW")
    assert export == {
        "export": "exports/r",
        "family": "legacy_cur",
        "mode": "create_new",
        "decision": "Found, awaiting decision",
        "note": "",
        "periods": 2,
        "newest": "2026-02",
        "oldest": "2026-01",
        "files": 4,
        "bytes": sum(file.size for file in waiting),
        "estimated_rows": sum(file.size for file in waiting) // 110,
        "estimated_seconds": 1,
        "not_loaded": {SourceFile.SkipReason.OLDER.label: 2},
        "export_id": Export.objects.get().pk,
        "proposed": Export.Decision.LOAD,
    }
    assert strangers["not_loaded"] == {SourceFile.SkipReason.UNKNOWN.label: 1}
    assert not SourceFile.objects.filter(status="INGESTED").exists()


def test_a_plan_can_be_read(undecided: ClientUnderTest) -> None:
    text = told("discover", "--connection", undecided.connection.name, "--plan")
    assert "exports/r: legacy_cur, create_new, Found, awaiting decision" in text
    assert "to load: 4 files" in text
    assert "2 periods (2026-02 back to 2026-01)" in text
    assert "not loaded: 2 files. Part of an older delivery" in text


def test_an_older_delivery_is_loaded_on_demand_and_stays_superseded(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    for hour in range(2):
        service.deliver(EXPORT, date(2026, 1, 1), [part(str(hour))], at=NOON + timedelta(hours=hour))
    client_under_test.ingest()
    older = Delivery.objects.get(status="SUPERSEDED")

    assert "1 files ingested" in told("ingest", "--delivery", str(older.pk))
    done = StaffAction.objects.get(action="load older delivery")
    assert (done.actor, done.connection, done.detail["delivery"]) == (
        actor(),
        older.scope.export.connection,
        older.pk,
    )

    assert set(SourceFile.objects.values_list("status", flat=True)) == {"INGESTED"}
    older.refresh_from_db()
    assert (older.status, older.published_at) == ("SUPERSEDED", None)
    client_under_test.discover()
    assert Delivery.objects.get(status="CURRENT").delivered_at == NOON + timedelta(hours=1)


def test_a_delivery_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="no delivery 12345") as refused:
        call_command("ingest", "--delivery", "12345")
    assert refused.value.returncode == 2


def test_a_plan_of_many_exports_is_asked_for_at_once(
    undecided: ClientUnderTest, django_assert_num_queries: Any
) -> None:
    for number in range(12):
        one = an_export(undecided.connection, root=f"exports/{number}/", payer_account="111122223333")
        ingested(one)
        failed(one)
    with django_assert_num_queries(4):
        planned = plan(undecided.connection)
    assert [one.files for one in planned] == [1] * 12
