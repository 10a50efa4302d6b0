"""Exports that bill the same lines are never both current for a billing period, unless a person chose so."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from ingestion.decisions import decide
from ingestion.models import Delivery, Export, SourceFile
from ingestion.plan import plan
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

LEGACY = ExportSpec("exports/", "legacy", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
CUR_2 = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "csv.gz")
THIRD = ExportSpec("exports/", "third", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
HEADERS = {
    LEGACY: "identity/LineItemId,lineItem/UnblendedCost",
    THIRD: "identity/LineItemId,lineItem/UnblendedCost",
    CUR_2: "identity_line_item_id,line_item_unblended_cost",
}
LOAD, AWAITING, IGNORE = Export.Decision.LOAD, Export.Decision.AWAITING, Export.Decision.IGNORE


def deliver(client: ClientUnderTest, export: ExportSpec, *months: int, hour: int = 0) -> None:
    """One row of each month, then an ingestion."""
    service = BillingService(client.account)
    for month in months:
        body = csv_gz(f"{HEADERS[export]}\nid,{month}\n")
        service.deliver(export, date(2026, month, 1), [body], at=NOON + timedelta(hours=hour))
    client.ingest()


def current() -> list[tuple[int, str]]:
    """Month and export of each current row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_period, export FROM billing_rows_current ORDER BY 1, 2")
        return [(period.month, name) for period, name in cursor.fetchall()]


def decided() -> dict[str, tuple[str, str | None]]:
    """Of each export the decision, and which one it overlaps."""
    found = Export.objects.select_related("overlaps")
    return {one.name: (one.decision, one.overlaps.name if one.overlaps else None) for one in found}


def choose(name: str, decision: Export.Decision) -> None:
    decide(Export.objects.get(name=name), decision, "Olga")


@pytest.fixture
def migrated(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """A legacy report until March, and CUR 2.0 from April on: nothing is held twice yet."""
    deliver(client_under_test, LEGACY, 1, 2, 3)
    deliver(client_under_test, CUR_2, 4)
    assert decided() == {"legacy": (LOAD, None), "cur2": (LOAD, None)}
    return client_under_test


def test_months_that_are_delivered_again_in_another_export_await_a_decision(
    migrated: ClientUnderTest,
) -> None:
    deliver(migrated, CUR_2, 1, 2, 3)
    assert current() == [(1, "legacy"), (2, "legacy"), (3, "legacy"), (4, "cur2")]
    assert decided() == {"legacy": (LOAD, None), "cur2": (AWAITING, "legacy")}


def test_of_two_exports_the_one_that_comes_second_into_a_month_waits(migrated: ClientUnderTest) -> None:
    deliver(migrated, LEGACY, 4)
    assert current() == [(1, "legacy"), (2, "legacy"), (3, "legacy"), (4, "cur2")]
    assert decided() == {"legacy": (AWAITING, "cur2"), "cur2": (LOAD, None)}
    (note,) = (one.note for one in plan(migrated.connection) if one.export == "exports/legacy")
    told = "Holds the same billing data as exports/cur2: load one of them."
    assert note == f"{told} What is current of either stays current."


@pytest.mark.parametrize("decision", [AWAITING, IGNORE])
def test_what_is_current_of_an_export_that_is_loaded_no_more_is_not_doubled(
    migrated: ClientUnderTest, decision: Export.Decision
) -> None:
    choose("legacy", decision)
    deliver(migrated, CUR_2, 1, 2, 3)
    assert current() == [(1, "legacy"), (2, "legacy"), (3, "legacy"), (4, "cur2")]
    assert decided()["cur2"] == (AWAITING, "legacy")


def test_of_two_that_get_a_month_at_once_the_one_found_first_goes_on(migrated: ClientUnderTest) -> None:
    service = BillingService(migrated.account)
    for export in (CUR_2, LEGACY):
        service.deliver(export, date(2026, 5, 1), [csv_gz(f"{HEADERS[export]}\nid,5\n")], at=NOON)
    migrated.ingest()
    assert current()[-1] == (5, "legacy")
    assert decided() == {"legacy": (LOAD, None), "cur2": (AWAITING, "legacy")}


def test_no_file_of_the_month_is_wanted_before_the_export_waits(migrated: ClientUnderTest) -> None:
    service = BillingService(migrated.account)
    service.deliver(CUR_2, date(2026, 3, 1), [csv_gz(f"{HEADERS[CUR_2]}\nid,3\n")], at=NOON)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF (SELECT decision FROM ingestion_export WHERE id = NEW.export_id) = 'LOAD' "
            "THEN RAISE 'wanted too early'; END IF; RETURN NEW; END $$;"
            "CREATE TRIGGER waits BEFORE UPDATE ON ingestion_sourcefile FOR EACH ROW "
            "WHEN (NEW.status = 'NEW') EXECUTE FUNCTION pg_temp.waits()"
        )
        try:
            assert migrated.discover().error_message == ""
        finally:
            cursor.execute("DROP TRIGGER waits ON ingestion_sourcefile")
    assert SourceFile.objects.get(export__name="cur2", status="NEW").billing_period_start == date(2026, 3, 1)


def test_who_chose_to_load_both_is_not_asked_again(migrated: ClientUnderTest) -> None:
    deliver(migrated, CUR_2, 3)
    choose("cur2", LOAD)
    deliver(migrated, CUR_2, 1, 2, hour=1)
    deliver(migrated, LEGACY, 4, 5, hour=1)
    deliver(migrated, CUR_2, 5, hour=1)
    assert decided() == {"legacy": (LOAD, None), "cur2": (LOAD, "legacy")}
    assert current() == [(month, name) for month in (1, 2, 3, 4, 5) for name in ("cur2", "legacy")]


def test_who_chose_to_load_three_is_asked_once_of_each_and_never_again(migrated: ClientUnderTest) -> None:
    deliver(migrated, CUR_2, 3)
    choose("cur2", LOAD)
    deliver(migrated, THIRD, 3)
    assert decided()["third"][0] == AWAITING
    choose("third", LOAD)
    before = decided()
    for month in (5, 6):
        for export in (THIRD, CUR_2, LEGACY):
            deliver(migrated, export, month, hour=month)
    assert decided() == before


def test_who_loads_an_export_that_awaited_a_decision_knows_what_it_overlaps(
    migrated: ClientUnderTest,
) -> None:
    choose("legacy", AWAITING)
    deliver(migrated, LEGACY, 4)
    assert decided()["legacy"] == (AWAITING, "cur2")
    choose("cur2", IGNORE)
    choose("legacy", LOAD)
    deliver(migrated, LEGACY, 5, hour=1)
    assert decided() == {"legacy": (LOAD, "cur2"), "cur2": (IGNORE, None)}


def test_two_that_awaited_and_are_both_chosen_are_loaded_knowingly(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.connection.load_new_exports = False
    client_under_test.connection.save()
    deliver(client_under_test, LEGACY, 3)
    deliver(client_under_test, CUR_2, 3)
    assert decided() == {"legacy": (AWAITING, None), "cur2": (AWAITING, None)}
    choose("legacy", LOAD)
    choose("cur2", LOAD)
    assert decided() == {"legacy": (LOAD, None), "cur2": (LOAD, "legacy")}
    deliver(client_under_test, LEGACY, 4)
    deliver(client_under_test, CUR_2, 4)
    assert decided() == {"legacy": (LOAD, None), "cur2": (LOAD, "legacy")}


def test_a_delivery_that_could_not_be_read_is_compared_once_it_can(migrated: ClientUnderTest) -> None:
    key = "exports/cur2/metadata/BILLING_PERIOD=2026-03/cur2-Manifest.json"
    migrated.account.put_object(key, b"no manifest", at=NOON)
    migrated.ingest()
    assert Delivery.objects.filter(scope__export__name="cur2", status="INCOMPLETE").exists()
    assert decided()["cur2"] == (LOAD, None)
    deliver(migrated, CUR_2, 3, hour=1)
    assert decided()["cur2"] == (AWAITING, "legacy")
