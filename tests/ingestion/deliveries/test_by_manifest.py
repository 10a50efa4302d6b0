"""A month is what the newest complete delivery says it is, in every layout AWS has."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from ingestion.models import Delivery, Export, ExportColumn, SourceFile
from kcx.dashboard.files import archived_by_connection
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

MARCH = date(2026, 3, 1)
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
LAYOUTS = [
    ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz"),
    ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz"),
    ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.ATHENA, "csv.gz"),
    ExportSpec("exports/", "r", Family.CUR_2_0, Mode.CREATE_NEW, "csv.gz"),
    ExportSpec("exports//", "r", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz"),
]
EVERY_LAYOUT = pytest.mark.parametrize("export", LAYOUTS, ids=[f"{e.family}-{e.mode}" for e in LAYOUTS])
OVERWRITE, CREATE_NEW, ATHENA = LAYOUTS[1], LAYOUTS[0], LAYOUTS[2]


def part(*values: str) -> bytes:
    """A part whose rows have these values in column `v`."""
    return csv_gz("identity/LineItemId,lineItem/v\n" + "".join(f"id,{value}\n" for value in values))


def shown(client: ClientUnderTest, at: datetime | None = None) -> list[str]:
    """The values the current view (or the view as of a moment) holds."""
    with connection.cursor() as cursor:
        source = "billing_rows_as_of(%s)" if at else "billing_rows_current"
        where = [*([at] if at else []), client.connection.pk]
        cursor.execute(f'SELECT "values"[2] FROM {source} WHERE connection_id = %s ORDER BY 1', where)
        return [value for (value,) in cursor.fetchall()]


def deliveries() -> list[tuple[str, str]]:
    return list(Delivery.objects.order_by("delivered_at", "id").values_list("status", "reason"))


@EVERY_LAYOUT
def test_a_restated_month_is_counted_once(client_under_test: ClientUnderTest, export: ExportSpec) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(export, MARCH, [part("1"), part("2")], at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]
    service.deliver(export, MARCH, [part("10"), part("20"), part("30")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    assert shown(client_under_test) == ["10", "20", "30"]
    assert [status for status, _ in deliveries()] == ["SUPERSEDED", "CURRENT"]


@EVERY_LAYOUT
def test_data_without_its_manifest_waits(client_under_test: ClientUnderTest, export: ExportSpec) -> None:
    service = BillingService(client_under_test.account)
    pending = service.write_data(export, MARCH, [part("1")], at=NOON)
    assert client_under_test.ingest() == []
    assert set(SourceFile.objects.values_list("status", "skip_reason")) == {("SKIPPED", "UNLISTED")}
    service.write_manifest(pending, at=NOON + timedelta(seconds=20))
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]


@EVERY_LAYOUT
def test_nothing_of_a_half_loaded_delivery_is_shown(
    client_under_test: ClientUnderTest, export: ExportSpec
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(export, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    service.deliver(
        export,
        MARCH,
        [part("10"), csv_gz("identity/LineItemId,lineItem/v\nragged\n")],
        at=NOON + timedelta(hours=8),
    )
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]
    status, reason = deliveries()[-1]
    assert status == "INCOMPLETE"
    assert reason.startswith("A file failed for good (ragged_row): exports/")


@EVERY_LAYOUT
def test_a_second_discovery_reads_and_writes_nothing(
    client_under_test: ClientUnderTest, export: ExportSpec
) -> None:
    BillingService(client_under_test.account).deliver(export, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    before = deliveries()
    assert client_under_test.discover().registered == 0
    assert client_under_test.load_all() == []
    assert deliveries() == before


def test_older_deliveries_of_a_create_new_export_are_left_out_and_named(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    for hour, value in enumerate(["1", "2", "3"]):
        service.deliver(CREATE_NEW, MARCH, [part(value)], at=NOON + timedelta(hours=hour))
    client_under_test.ingest()
    assert shown(client_under_test) == ["3"]
    assert [status for status, _ in deliveries()] == ["SUPERSEDED", "SUPERSEDED", "CURRENT"]
    skipped = SourceFile.objects.filter(status="SKIPPED")
    assert set(skipped.values_list("skip_reason", flat=True)) == {"OLDER"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_deliveries_never_current")
        assert cursor.fetchone() == (2,)


def test_what_the_current_delivery_needs_of_the_archive_is_loaded_once_restored_and_nothing_else(
    client_under_test: ClientUnderTest,
) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    for hour, value in enumerate(["1", "2"]):
        service.deliver(CREATE_NEW, MARCH, [part(value)], at=NOON + timedelta(hours=hour))
    data = [key for key in account.list_keys() if key.endswith(".csv.gz")]
    for key in data:
        account.set_storage_class(key, "GLACIER")
    assert client_under_test.ingest() == []
    assert archived_by_connection() == {client_under_test.connection.pk: 1}
    for key in data:
        account.restore(key)
    client_under_test.ingest()
    assert shown(client_under_test) == ["2"]
    assert SourceFile.objects.filter(status="SKIPPED").count() == 1


def test_all_history_is_loaded_where_the_connection_says_so(client_under_test: ClientUnderTest) -> None:
    client_under_test.connection.load_history = True
    client_under_test.connection.save()
    service = BillingService(client_under_test.account)
    for hour, value in enumerate(["1", "2", "3"]):
        service.deliver(CREATE_NEW, MARCH, [part(value)], at=NOON + timedelta(hours=hour))
    client_under_test.ingest()
    assert shown(client_under_test) == ["3"]
    assert set(SourceFile.objects.values_list("status", flat=True)) == {"INGESTED"}
    assert sorted(status for status, _ in deliveries()) == ["CURRENT", "SUPERSEDED", "SUPERSEDED"]


def test_an_overwrite_export_that_shrinks_shows_what_its_manifest_lists(
    client_under_test: ClientUnderTest,
) -> None:
    export = LAYOUTS[4]
    service = BillingService(client_under_test.account)
    service.deliver(export, MARCH, [part("1"), part("2"), part("3")], at=NOON)
    client_under_test.ingest()
    service.deliver(export, MARCH, [part("10")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    assert shown(client_under_test) == ["10"]


def test_a_header_only_part_is_a_valid_part_of_no_rows(client_under_test: ClientUnderTest) -> None:
    BillingService(client_under_test.account).deliver(OVERWRITE, MARCH, [part("1"), part()], at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("identity/LineItemId,lineItem/v\n", "CURRENT"),
        ("lineItem/v,identity/LineItemId\n", "CURRENT"),
        ("identity/LineItemId,another\n", "INCOMPLETE"),
        ("", "INCOMPLETE"),
    ],
    ids=["its own", "in another order", "another", "none"],
)
@EVERY_LAYOUT
def test_a_month_without_rows_is_believed_where_its_header_is_the_manifests(
    client_under_test: ClientUnderTest, export: ExportSpec, header: str, status: str
) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    service.deliver(export, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    empty = service.deliver(export, MARCH, [part("2")], at=NOON + timedelta(hours=8))
    account.put_object(empty.data_keys[0], csv_gz(header), at=NOON + timedelta(hours=7))
    client_under_test.ingest()
    assert deliveries()[-1][0] == status
    assert shown(client_under_test) == ([] if status == "CURRENT" else ["1"])


def test_a_version_that_returns_is_shown_again_without_being_loaded_again(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    for hour, value in enumerate(["1", "2", "1"]):
        service.deliver(OVERWRITE, MARCH, [part(value)], at=NOON + timedelta(hours=hour))
        attempts = client_under_test.ingest()
    assert attempts == []
    assert shown(client_under_test) == ["1"]
    assert SourceFile.objects.count() == 2
    assert [status for status, _ in deliveries()] == ["SUPERSEDED", "SUPERSEDED", "CURRENT"]


def test_a_listed_file_that_is_missing_is_named_and_mended_when_it_arrives(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    delivered = service.deliver(CREATE_NEW, MARCH, [part("1"), part("2")], at=NOON)
    body = client_under_test.account.read_object(delivered.data_keys[1])
    client_under_test.account.delete_object(delivered.data_keys[1])
    client_under_test.ingest()
    assert deliveries() == [("INCOMPLETE", f"1 of 2 listed files are missing: {delivered.data_keys[1]}")]
    assert shown(client_under_test) == []
    client_under_test.account.put_object(delivered.data_keys[1], body, at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]


def test_data_newer_than_its_manifest_is_a_delivery_in_progress(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(OVERWRITE, MARCH, [part("1"), part("2")], at=NOON)
    pending = service.write_data(OVERWRITE, MARCH, [part("10"), part("20")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    ((status, reason),) = deliveries()
    assert status == "INCOMPLETE"
    assert reason.startswith("Data newer than its manifest")
    assert shown(client_under_test) == []
    service.write_manifest(pending, at=NOON + timedelta(hours=8, seconds=20))
    client_under_test.ingest()
    assert shown(client_under_test) == ["10", "20"]
    assert deliveries()[0][0] == "SUPERSEDED"


def test_a_delivery_that_begins_while_the_one_before_is_loaded_does_not_mix(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(OVERWRITE, MARCH, [part("1"), part("2")], at=NOON)
    client_under_test.discover()
    pending = service.write_data(OVERWRITE, MARCH, [part("10")], at=NOON + timedelta(hours=8))
    client_under_test.load_all()
    assert shown(client_under_test) == []
    client_under_test.discover()
    assert "Replaced before it was read" in deliveries()[0][1]
    service.write_manifest(pending, at=NOON + timedelta(hours=8, seconds=20))
    client_under_test.ingest()
    assert shown(client_under_test) == ["10"]


def test_a_manifest_that_changes_before_publishing_holds_the_delivery_back(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(OVERWRITE, MARCH, [part("1")], at=NOON)
    client_under_test.discover()
    service.deliver(OVERWRITE, MARCH, [part("1"), part("2")], at=NOON + timedelta(hours=8))
    client_under_test.load_all()
    assert shown(client_under_test) == []
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]


def test_athena_says_updating_while_aws_writes(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(ATHENA, MARCH, [part("1")], at=NOON)
    service.write_data(ATHENA, date(2026, 4, 1), [part("9")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    assert deliveries() == [("INCOMPLETE", "Athena's status file says UPDATING: AWS is delivering.")]


def test_parts_whose_headers_disagree_are_not_one_delivery(client_under_test: ClientUnderTest) -> None:
    parts = [part("1"), csv_gz("identity/LineItemId,lineItem/another\nid,2\n")]
    BillingService(client_under_test.account).deliver(OVERWRITE, MARCH, parts, at=NOON)
    client_under_test.ingest()
    assert deliveries() == [("INCOMPLETE", "The headers of its parts disagree.")]


def test_a_manifest_of_an_unknown_shape_is_an_error_of_its_delivery_and_read_once(
    client_under_test: ClientUnderTest,
) -> None:
    key = "exports/r/20260301-20260401/r-Manifest.json"
    client_under_test.account.put_object(key, json.dumps({"files": []}).encode(), at=NOON)
    client_under_test.discover()
    ((status, reason),) = deliveries()
    assert status == "INCOMPLETE"
    assert "manifest" in reason
    client_under_test.discover()
    assert len(deliveries()) == 1
    BillingService(client_under_test.account).deliver(
        OVERWRITE, MARCH, [part("1")], at=NOON + timedelta(hours=1)
    )
    client_under_test.ingest()
    assert [status for status, _ in deliveries()] == ["SUPERSEDED", "CURRENT"]


def test_a_month_long_past_is_restated_like_any_other(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    for period in (date(2019, 1, 1), MARCH):
        service.deliver(OVERWRITE, period, [part(f"{period:%Y}")], at=NOON)
    client_under_test.ingest()
    service.deliver(OVERWRITE, date(2019, 1, 1), [part("refund")], at=NOON + timedelta(days=300))
    client_under_test.ingest()
    assert shown(client_under_test) == ["2026", "refund"]


def test_what_was_shown_at_a_moment_can_be_asked_for(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(OVERWRITE, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    service.deliver(OVERWRITE, MARCH, [part("2")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    first, second = Delivery.objects.order_by("delivered_at")
    assert first.published_at is not None
    assert second.published_at is not None
    assert shown(client_under_test, first.published_at) == ["1"]
    assert shown(client_under_test, second.published_at) == ["2"]
    assert shown(client_under_test, first.published_at - timedelta(seconds=1)) == []


def test_the_restatement_log_tells_what_changed(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(CREATE_NEW, MARCH, [part("1"), part("2")], at=NOON)
    client_under_test.ingest()
    wider = csv_gz("identity/LineItemId,lineItem/v,lineItem/extra\nid,1,x\nid,2,x\n")
    service.deliver(CREATE_NEW, MARCH, [wider], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    first, second = Delivery.objects.filter(published_at__isnull=False).order_by("delivered_at")
    assert second.restatement == {
        "against_delivery": first.pk,
        "files_added": [],
        "files_changed": ["r-1.csv.gz"],
        "files_gone": ["r-2.csv.gz"],
        "rows_before": 2,
        "rows_after": 2,
        "columns_came": ["lineItem/extra"],
        "columns_went": [],
    }


def test_the_drift_ledger_tells_since_when_a_column_is_delivered(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(OVERWRITE, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    later = NOON + timedelta(days=30)
    service.deliver(OVERWRITE, date(2026, 4, 1), [csv_gz("identity/LineItemId,lineItem/V\nid,1\n")], at=later)
    client_under_test.ingest()
    seen = {column.name: (column.first_seen_at, column.last_seen_at) for column in ExportColumn.objects.all()}
    assert seen == {
        "identity/LineItemId": (NOON, later),
        "lineItem/v": (NOON, NOON),
        "lineItem/V": (later, later),
    }


def test_the_same_lines_in_two_formats_await_a_decision(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(OVERWRITE, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    twin = ExportSpec("exports/", "twin", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
    service.deliver(twin, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    export = Export.objects.get(name="twin")
    assert (export.decision, export.overlaps) == ("AWAITING", Export.objects.get(name="r"))
    assert shown(client_under_test) == ["1"]


def test_an_export_that_staff_declared_to_have_no_manifests_loads_as_it_appears(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    service.write_data(OVERWRITE, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    Export.objects.update(without_manifests=True)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]
    service.write_data(OVERWRITE, MARCH, [part("2")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    assert shown(client_under_test) == ["2"]


def test_without_manifests_the_newest_snapshot_folder_is_the_month(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    service.write_data(CREATE_NEW, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    Export.objects.update(without_manifests=True)
    service.write_data(CREATE_NEW, MARCH, [part("2"), part("3")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    assert shown(client_under_test) == ["2", "3"]


def test_a_manifest_that_appears_after_all_replaces_what_was_loaded_by_key(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    pending = service.write_data(OVERWRITE, MARCH, [part("1"), part("2")], at=NOON)
    client_under_test.ingest()
    Export.objects.update(without_manifests=True)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]
    service.write_manifest(pending, at=NOON + timedelta(seconds=20))
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]
    assert sorted(status for status, _ in deliveries()) == ["CURRENT", "SUPERSEDED", "SUPERSEDED"]


@pytest.mark.real
def test_the_nise_bucket_shows_its_current_deliveries(
    client_under_test: ClientUnderTest, real_files: Path
) -> None:
    folder = real_files / "nise" / "exports" / "aws"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            written = NOON if path.name.endswith("Manifest.json") else NOON - timedelta(minutes=1)
            client_under_test.account.put_object(_nise_key(path, folder), path.read_bytes(), at=written)
    current = client_under_test.account.read_object(
        "exports/aws/cur-hourly/20250601-20250701/cur-hourly-Manifest.json"
    )
    assert all(attempt.outcome == "SUCCEEDED" for attempt in client_under_test.ingest())

    truth = {
        file["key"]: file["rows"]
        for file in json.loads((real_files / "nise" / "GROUND_TRUTH.json").read_text())
    }
    listed = set(json.loads(current)["reportKeys"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT source_key, count(*) FROM billing_rows_current GROUP BY 1")
        counted = dict(cursor.fetchall())
    expected = {key: rows for key, rows in truth.items() if "20250701-" in key or key in listed}
    assert counted == expected
    assert len(counted) < len(truth), "the superseded snapshot is not in the current view"


def _nise_key(path: Path, folder: Path) -> str:
    return f"exports/aws/{path.relative_to(folder)}"
