"""Step 3: what is new, what is AWS's own, what is nobody's: every object is accounted for."""

from datetime import UTC, date, datetime

import pytest

from ingestion.models import Delivery, Export, SourceFile
from ingestion.pipeline.identify_new import NewFiles
from ingestion.pipeline.list_files import RemoteFile
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.server import SimulatedAws
from kcx.simulated_aws.tables.legacy import legacy_cur_csv_gz
from tests.builders import ClientUnderTest, csv_gz, new_client

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

LEGACY = ExportSpec("exports/", "hourly", Family.LEGACY_CUR, Mode.ATHENA, "csv.gz")
KEY = "exports/lines/one.csv.gz"


def statuses(client: ClientUnderTest) -> dict[str, tuple[str, str]]:
    files = SourceFile.objects.filter(connection=client.connection)
    return {file.key: (file.status, file.skip_reason) for file in files}


def test_counts_by_kind_sum_to_the_objects_listed(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(LEGACY, date(2026, 3, 1), [legacy_cur_csv_gz(date(2026, 3, 1), 5, 1)])
    for key in ["exports/", "exports/notes.txt", KEY, "exports/aws-programmatic-access-test-object"]:
        client_under_test.account.put_object(key, b"x")

    run = client_under_test.discover()

    assert run.counts == {
        "data": 2, "manifest": 2, "helper": 2, "status": 1, "folder": 1, "unknown": 1, "test_object": 1,
    }  # fmt: skip
    assert sum(run.counts.values()) == run.listed == len(client_under_test.account.list_keys())
    assert run.registered == 3
    assert statuses(client_under_test)["exports/notes.txt"] == ("SKIPPED", "UNKNOWN")


def test_a_key_with_a_nul_cannot_be_stored_and_is_counted_as_such(client_under_test: ClientUnderTest) -> None:
    new = NewFiles(client_under_test.connection)
    at = datetime(2026, 3, 1, tzinfo=UTC)
    new.take([RemoteFile("exports/a\0b.csv", '"e"', 1, at, "STANDARD")])
    assert new.found.counts == {"key with NUL": 1}
    assert (new.found.listed, new.found.registered) == (1, 0)


def test_a_file_of_an_aws_layout_gets_its_export_and_its_period(client_under_test: ClientUnderTest) -> None:
    BillingService(client_under_test.account).deliver(LEGACY, date(2026, 12, 1), [csv_gz("a\n1\n")])
    client_under_test.discover()
    file = SourceFile.objects.get(export__name="hourly")
    assert (file.billing_period_start, file.billing_period_end) == (date(2026, 12, 1), date(2027, 1, 1))
    export = Export.objects.get(name="hourly")
    assert (export.root, export.key_layout, export.mode, export.decision) == (
        "exports/",
        "legacy_cur",
        "athena",
        "LOAD",
    )


def test_a_second_discovery_registers_nothing(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    assert client_under_test.discover().registered == 1
    second = client_under_test.discover()
    assert (second.listed, second.registered) == (1, 0)
    assert Delivery.objects.count() == 1


def test_a_new_version_of_a_key_is_a_file_of_its_own(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.ingest()
    client_under_test.account.put_object(KEY, csv_gz("a\n2\n"))
    client_under_test.ingest()
    assert list(SourceFile.objects.order_by("id").values_list("status", flat=True)) == [
        "INGESTED",
        "INGESTED",
    ]
    assert client_under_test.rows(KEY) == [["2"]]


@pytest.mark.parametrize(
    ("key", "storage_class", "reason"),
    [
        ("exports/lines/cold.csv.gz", "DEEP_ARCHIVE", "ARCHIVED"),
        ("exports/123456789012-aws-cost-allocation-2017-06.csv", None, "UNSUPPORTED"),
        ("exports/coh/data/date=2026-03-15/coh-00001.snappy.parquet", None, "UNSUPPORTED"),
        ("exports/r/20260301-20260401/a1/March-r-1.csv.gz", None, "UNLISTED"),
        ("exports/athena-results/1.csv", None, "UNKNOWN"),
    ],
)
def test_what_is_not_loaded_is_registered_with_the_reason(
    client_under_test: ClientUnderTest, key: str, storage_class: str | None, reason: str
) -> None:
    client_under_test.account.put_object(key, b"x", storage_class=storage_class)
    assert client_under_test.ingest() == []
    assert statuses(client_under_test) == {key: ("SKIPPED", reason)}


def test_an_archived_file_that_was_restored_to_a_readable_class_is_loaded(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"), storage_class="GLACIER")
    client_under_test.ingest()
    client_under_test.account.set_storage_class(KEY, "STANDARD")
    client_under_test.ingest()
    assert client_under_test.rows(KEY) == [["1"]]


def test_a_version_replaced_before_it_was_read_is_skipped_not_failed(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.discover()
    client_under_test.account.put_object(KEY, csv_gz("a\n2\n"))
    client_under_test.discover()
    files = SourceFile.objects.order_by("id")
    assert [(file.status, file.skip_reason) for file in files] == [("SKIPPED", "REPLACED"), ("NEW", "")]


def test_a_version_gone_before_load_is_skipped_and_wanted_again_when_it_is_back(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.discover()
    client_under_test.account.delete_object(KEY)
    client_under_test.discover()
    assert statuses(client_under_test) == {KEY: ("SKIPPED", "GONE")}
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.discover()
    assert statuses(client_under_test) == {KEY: ("NEW", "")}


def test_an_object_replaced_while_it_is_read_fails_transiently_and_the_next_discovery_settles_it(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.discover()
    client_under_test.account.put_object(KEY, csv_gz("a\n2\n"))
    (attempt,) = client_under_test.load_all()
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "object_changed")
    assert client_under_test.file(KEY).next_retry_at is not None
    client_under_test.ingest()
    assert [file.status for file in SourceFile.objects.order_by("id")] == ["SKIPPED", "INGESTED"]


def test_a_new_export_waits_for_a_decision_unless_whatever_appears_is_loaded(
    aws: SimulatedAws, raw_database: None
) -> None:
    client = new_client(aws, enable=False)
    client.connection.enabled = True
    client.connection.save()
    client.account.put_object(KEY, csv_gz("a\n1\n"))
    assert client.ingest() == []
    export = Export.objects.get()
    assert export.decision == Export.Decision.AWAITING
    export.decision = Export.Decision.LOAD
    export.save()
    assert [attempt.outcome for attempt in client.load_all()] == ["SUCCEEDED"]


def test_a_failed_listing_is_told_and_skips_nothing(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.discover()
    client_under_test.account.delete_role()
    run = client_under_test.discover()
    assert (run.outcome, run.error_code) == ("FAILED", "assume_role_denied")
    assert run.ended_at is not None
    assert run.next_action
    assert statuses(client_under_test) == {KEY: ("NEW", "")}


def test_a_discovery_left_running_by_a_dead_worker_is_closed_by_the_next(
    client_under_test: ClientUnderTest,
) -> None:
    dead = client_under_test.connection.discovery_runs.create(actor="gone")
    client_under_test.discover()
    dead.refresh_from_db()
    assert (dead.outcome, dead.error_code) == ("FAILED", "worker_crashed")


def test_a_returning_version_is_a_new_delivery_of_the_same_file(client_under_test: ClientUnderTest) -> None:
    for hour, text in enumerate(["a\n1\n", "a\n2\n", "a\n1\n"]):
        at = datetime(2026, 3, 1, hour, tzinfo=UTC)
        client_under_test.account.put_object(KEY, text.encode(), etag=f"{text[2]}" * 32, at=at)
        client_under_test.ingest()
    assert SourceFile.objects.count() == 2
    states = list(Delivery.objects.order_by("delivered_at").values_list("status", flat=True))
    assert states == ["SUPERSEDED", "SUPERSEDED", "CURRENT"]
