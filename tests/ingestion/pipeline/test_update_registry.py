"""Step 7: what a load leaves behind, whether it went well or not."""

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from django_q.models import OrmQ

from billing.read import rows_digest
from ingestion import queueing, tasks
from ingestion.models import ClientConnection, Delivery, Event, SourceFile
from ingestion.pipeline import run
from ingestion.pipeline.retry import JITTER
from ingestion.reruns import reprocess, retry
from tests.builders import ClientUnderTest, csv_gz, let_in_again
from tests.ingestion.registered import running

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/one.csv.gz"
GOOD = csv_gz("a,b\n1,2\n")

BAD_FILES = [
    (GOOD[:-5], "corrupt_gzip", None, ""),
    (csv_gz("a,b\n1,2\n3\n"), "ragged_row", 2, ""),
    (csv_gz("a,b\n1,2\n3,x\0y\n"), "nul_character", 2, "b"),
    (csv_gz("a,\n1,2\n"), "nameless_column", None, ""),
    (b"", "empty_object", None, ""),
    (b"PAR1" + b"\0" * 50 + b"PAR1", "bad_parquet", None, ""),
]

# Both are cut short.
LOOKED_AT_TWICE = {"corrupt_gzip", "bad_parquet"}


@pytest.mark.parametrize(
    ("body", "code", "row", "column"), BAD_FILES, ids=[code for _, code, _, _ in BAD_FILES]
)
def test_a_file_that_cannot_be_loaded_says_why_and_where_and_the_others_load(
    client_under_test: ClientUnderTest, body: bytes, code: str, row: int | None, column: str
) -> None:
    name = "exports/lines/bad.parquet" if code == "bad_parquet" else "exports/lines/bad.csv.gz"
    client_under_test.account.put_object(name, body)
    client_under_test.account.put_object(KEY, GOOD)

    failed, loaded = sorted(client_under_test.ingest(), key=lambda attempt: attempt.outcome)

    assert (failed.error_code, failed.error_row, failed.error_column) == (code, row, column)
    assert loaded.outcome == "SUCCEEDED"
    again = SourceFile.objects.filter(next_retry_at__isnull=False)
    assert again.update(next_retry_at=timezone.now()) == (code in LOOKED_AT_TWICE)
    client_under_test.load_all()
    file = client_under_test.file(name)
    assert (file.status, file.error_code, file.next_retry_at) == ("FAILED", code, None)
    assert file.error_message
    assert file.next_action
    assert client_under_test.rows(name) == []
    assert client_under_test.rows(KEY) == [["1", "2"]]
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["CURRENT", "INCOMPLETE"]


def test_lost_access_is_no_fault_of_the_file_which_waits_for_the_connection(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.discover()
    file = client_under_test.file(KEY)
    ClientConnection.objects.update(next_discovery_at=timezone.now() + timedelta(hours=1))
    client_under_test.account.delete_role()
    attempt = run.load(file.pk, "test")
    assert attempt is not None
    assert attempt.error_code == "assume_role_denied"
    assert client_under_test.file(KEY).next_retry_at is not None
    assert not Event.objects.filter(kind="file.failed").exists(), "nobody is told of each file"
    assert ClientConnection.objects.get().next_discovery_at <= timezone.now(), "KCX looks at once"
    client_under_test.discover()
    assert not queueing.loadable_files().exists()
    SourceFile.objects.update(next_retry_at=timezone.now())
    assert not queueing.loadable_files().exists(), "the newest discovery was refused"
    let_in_again(client_under_test)
    client_under_test.discover()
    assert queueing.loadable_files().get() == file
    assert [attempt.outcome for attempt in client_under_test.load_all()] == ["SUCCEEDED"]


def test_a_reload_of_a_version_that_was_overwritten_is_given_up(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.ingest()
    first = client_under_test.file(KEY)
    client_under_test.account.put_object(KEY, csv_gz("a,b\n3,4\n"))
    reprocess(SourceFile.objects.filter(pk=first.pk))
    attempt = run.load(first.pk, "test")
    assert attempt is not None
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "object_changed")
    first.refresh_from_db()
    assert (first.status, first.reload_requested_at, first.next_retry_at, first.failures) == (
        "INGESTED",
        None,
        None,
        0,
    )


def test_a_file_that_failed_may_be_queued_as_soon_as_it_is_due(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.discover()
    client_under_test.account.put_object(KEY, csv_gz("a,b\n3,4\n"))
    assert queueing.queue_loads() == 1
    task = OrmQ.objects.get()
    task.delete()  # as a worker does that has done it
    tasks.load(*task.task["args"])
    assert queueing.queue_loads() == 0, "not due yet"
    SourceFile.objects.update(next_retry_at=timezone.now())
    assert queueing.queue_loads() == 1


def test_transient_errors_are_tried_again_with_growing_pauses(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.discover()
    file = client_under_test.file(KEY)
    client_under_test.account.put_object(KEY, csv_gz("a,b\n3,4\n"))
    pauses = []
    for _ in range(4):
        SourceFile.objects.filter(pk=file.pk).update(next_retry_at=timezone.now())
        before = timezone.now()
        run.load(file.pk, "test")
        file.refresh_from_db()
        assert file.next_retry_at is not None
        pauses.append((file.next_retry_at - before) / timedelta(minutes=1))
    for pause, longest in zip(pauses, (1, 2, 4, 8), strict=True):
        assert longest * (1 - JITTER) <= pause < longest + 0.2
    assert run.load(file.pk, "test") is None, "not due yet"


def test_reprocessing_replaces_the_rows_and_leaves_an_attempt(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.ingest()
    first = client_under_test.file(KEY)
    assert reprocess(SourceFile.objects.filter(pk=first.pk)) == [first.pk]
    (attempt,) = client_under_test.load_all()
    assert (attempt.outcome, attempt.is_reload) == ("SUCCEEDED", True)
    second = client_under_test.file(KEY)
    assert (second.status, second.reload_requested_at) == ("INGESTED", None)
    assert second.rows_sha256 == first.rows_sha256 == rows_digest(first.connection_id, first.pk)
    assert client_under_test.rows(KEY) == [["1", "2"]]


def test_a_failed_reload_leaves_rows_status_and_digests_untouched(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.ingest()
    before = client_under_test.file(KEY)
    client_under_test.account.delete_role()
    reprocess(SourceFile.objects.filter(pk=before.pk))
    (attempt,) = client_under_test.load_all()
    assert (attempt.outcome, attempt.is_reload, attempt.error_code) == ("FAILED", True, "assume_role_denied")
    after = client_under_test.file(KEY)
    assert (after.status, after.rows_sha256, after.ingested_at) == (
        "INGESTED",
        before.rows_sha256,
        before.ingested_at,
    )
    assert after.error_code == ""
    assert client_under_test.rows(KEY) == [["1", "2"]]
    assert client_under_test.load_all() == [], "not due yet"


def test_a_retry_makes_a_failed_file_due_at_once(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD[:-5], etag="e" * 32)
    client_under_test.ingest()
    file = client_under_test.file(KEY)
    client_under_test.account.put_object(KEY, GOOD + b"\0" * 0, etag="e" * 32)
    SourceFile.objects.filter(pk=file.pk).update(size=len(GOOD))
    assert retry(SourceFile.objects.filter(pk=file.pk)) == [file.pk]
    assert [attempt.outcome for attempt in client_under_test.load_all()] == ["SUCCEEDED"]
    file.refresh_from_db()
    assert (file.status, file.error_code, file.failures) == ("INGESTED", "", 0)


@pytest.mark.parametrize(
    "claim",
    [
        {"status": "INGESTED"},
        {"status": "FAILED"},
        {"status": "SKIPPED"},
        {"row_count": 5},
        {"rows_sha256": "f" * 64},
    ],
)
def test_the_database_refuses_a_status_that_is_not_true(
    client_under_test: ClientUnderTest, claim: dict[str, object]
) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.discover()
    with pytest.raises(IntegrityError), transaction.atomic():
        SourceFile.objects.update(**claim)


def test_what_a_dead_worker_left_is_closed_before_its_file_is_loaded_again_and_the_receipt_says_so(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, GOOD)
    client_under_test.discover()
    dead = running(client_under_test.file(KEY))
    client_under_test.load_all()
    dead.refresh_from_db()
    file = client_under_test.file(KEY)
    loaded = file.attempts.latest("pk")
    assert (dead.outcome, dead.error_code, loaded.outcome) == ("CRASHED", "worker_crashed", "SUCCEEDED")
    assert dead.ended_at is not None
    assert loaded.ended_at is not None
    assert dead.ended_at < loaded.ended_at
    told = json.loads(file.receipts.get().body)["attempts"]
    assert [one["outcome"] for one in told] == ["CRASHED", "SUCCEEDED"]
    assert file.failures == 0


def test_a_file_that_fails_after_a_dead_worker_has_failed_twice(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, GOOD[:-5])
    client_under_test.discover()
    running(client_under_test.file(KEY))
    client_under_test.load_all()
    assert client_under_test.file(KEY).failures == 2
