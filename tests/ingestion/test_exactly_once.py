"""Each file version is loaded exactly once, whoever races, repeats or dies."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ

from billing.read import rows_digest
from ingestion import tasks
from ingestion.database_errors import DatabaseFull
from ingestion.discovery_runs import LOCK_CLASS, begin_run, end_run
from ingestion.errors import ChecksumMismatch, DatabaseUnavailable, IngestionError, S3Unavailable
from ingestion.models import ClientConnection, Delivery, DiscoveryRun, Event, LoadAttempt, SourceFile
from ingestion.pipeline import run
from ingestion.pipeline.identify_new import Discovery
from ingestion.pipeline.retry import next_retry
from ingestion.queueing import queue_due_discoveries, queue_loads
from ingestion.reruns import reprocess, retry
from ingestion.worker_errors import OutOfMemory, TimeLimit, WorkerCrashed
from tests.builders import ClientUnderTest, csv_gz
from tests.processes import python
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

ROWS = 30_000
KEY = "exports/lines/big.csv.gz"
LOAD_ON_DEMAND = """
from ingestion.pipeline import run
from ingestion.pipeline.identify_new import Discovery
print("ready", flush=True)
input()
attempt = run.load({file}, "racer")
print(attempt.outcome if attempt else "left alone", flush=True)
"""
STOP_INSIDE_COPY = """
import time
from ingestion.pipeline import run
from ingestion.pipeline.identify_new import Discovery
def report(rows, bytes_read):
    if rows:
        print("inside COPY", flush=True)
        time.sleep(600)
run.load({file}, "victim", report)
"""


@pytest.fixture
def big_file(client_under_test: ClientUnderTest) -> SourceFile:
    lines = "".join(f"{number},{'x' * 300}\n" for number in range(1, ROWS + 1))
    client_under_test.account.put_object(KEY, csv_gz("n,text\n" + lines))
    client_under_test.discover()
    return client_under_test.file(KEY)


def assert_loaded_once(client: ClientUnderTest, file: SourceFile) -> None:
    file.refresh_from_db()
    assert file.status == SourceFile.Status.INGESTED
    assert [row[0] for row in client.rows(KEY)] == [str(number) for number in range(1, ROWS + 1)]
    assert rows_digest(file.connection_id, file.pk) == file.rows_sha256


def outcomes(file: SourceFile) -> list[str]:
    return sorted(LoadAttempt.objects.filter(source_file=file).values_list("outcome", flat=True))


@contextmanager
def one_at_a_time_elsewhere(connection_id: int) -> Iterator[None]:
    """Another session that discovers the connection."""
    with connections["progress"].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, connection_id])
        yield
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, connection_id])


def test_three_workers_race_for_one_file(client_under_test: ClientUnderTest, big_file: SourceFile) -> None:
    with ExitStack() as stack:
        racers = [stack.enter_context(python(LOAD_ON_DEMAND.format(file=big_file.pk))) for _ in range(3)]
        for racer in racers:
            assert racer.stdout
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin
            racer.stdin.write("go\n")
            racer.stdin.flush()
        told = sorted(racer.stdout.readline().strip() for racer in racers if racer.stdout)
    assert told == ["SUCCEEDED", "left alone", "left alone"]
    assert outcomes(big_file) == ["SUCCEEDED"]
    assert_loaded_once(client_under_test, big_file)


def test_a_task_delivered_twice_loads_once(client_under_test: ClientUnderTest, big_file: SourceFile) -> None:
    tasks.load(big_file.pk)
    tasks.load(big_file.pk)
    assert outcomes(big_file) == ["SUCCEEDED"]
    assert_loaded_once(client_under_test, big_file)


def test_a_worker_killed_inside_copy_leaves_nothing_and_the_next_sweep_takes_the_file(
    client_under_test: ClientUnderTest, big_file: SourceFile
) -> None:
    with python(STOP_INSIDE_COPY.format(file=big_file.pk)) as victim:
        assert victim.stdout
        assert victim.stdout.readline() == "inside COPY\n"
        assert run.load(big_file.pk, "rival") is None, "the lock keeps everybody else out"
        assert outcomes(big_file) == ["RUNNING"], "the attempt is seen while it runs"
        tasks.sweep()
        assert outcomes(big_file) == ["RUNNING"], "a living worker's attempt is not closed"
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()

    def swept() -> bool:
        tasks.sweep()
        return outcomes(big_file) == ["CRASHED"]

    until(swept, "the sweep closes the dead worker's attempt")
    big_file.refresh_from_db()
    assert big_file.status == SourceFile.Status.NEW
    assert client_under_test.rows(KEY) == []
    assert OrmQ.objects.exists(), "the same sweep queued the file again"

    tasks.load(big_file.pk)
    assert outcomes(big_file) == ["CRASHED", "SUCCEEDED"]
    assert_loaded_once(client_under_test, big_file)


def test_a_file_that_kills_its_workers_waits_like_one_that_failed(big_file: SourceFile) -> None:
    for _ in range(3):
        attempt = LoadAttempt.objects.create(source_file=big_file, actor="test", worker="gone:1")
        tasks.sweep()
        attempt.refresh_from_db()
        assert attempt.outcome == "CRASHED"
    big_file.refresh_from_db()
    assert (big_file.status, big_file.error_code) == ("FAILED", "worker_crashed")
    assert big_file.next_retry_at is not None
    assert run.load(big_file.pk, "test") is None, "not due yet"


def test_a_file_that_kills_its_workers_again_and_again_waits_for_a_person_and_its_delivery_is_incomplete(
    client_under_test: ClientUnderTest, big_file: SourceFile
) -> None:
    def crash() -> LoadAttempt:
        attempt = LoadAttempt.objects.create(source_file=big_file, actor="test", worker="gone:1")
        tasks.sweep()
        attempt.refresh_from_db()
        big_file.refresh_from_db()
        return attempt

    for _ in range(9):
        crash()
        assert big_file.status == "NEW" or big_file.next_retry_at is not None
    last = crash()
    assert (last.outcome, last.error_code, big_file.error_code) == ("CRASHED", *["worker_crashed"] * 2)
    assert big_file.next_retry_at is None
    assert last.next_action == big_file.next_action
    assert big_file.next_action.startswith("KCX gave up after 10 tries in a row: find in the worker's")
    assert Delivery.objects.get().status == "INCOMPLETE"
    assert Event.objects.filter(kind=Event.Kind.FILE_FAILED).count() == 1
    assert queue_loads() == 0
    retry(SourceFile.objects.filter(pk=big_file.pk))
    tasks.load(big_file.pk)
    assert_loaded_once(client_under_test, big_file)


def test_what_is_of_the_file_is_given_up_and_an_outage_never_is() -> None:
    def again(error: IngestionError, *before: str) -> bool:
        return next_retry(error, len(before) + 1, before, is_reload=False) is not None

    of_the_file = ["worker_crashed", "out_of_memory", "checksum_mismatch"] * 3
    for kind in (WorkerCrashed, OutOfMemory, ChecksumMismatch):
        assert again(kind("?"), *of_the_file[:8])
        assert not again(kind("?"), *of_the_file)
        assert again(kind("?"), *of_the_file[:5], "aws_unavailable", *of_the_file), "not in a row"
    assert again(TimeLimit("?"), "time_limit")
    assert not again(TimeLimit("?"), "time_limit", "time_limit"), "each try holds a worker for hours"
    for outage in (S3Unavailable, DatabaseUnavailable, DatabaseFull):
        assert again(outage("?"), *[outage.code] * 1000)


def test_a_reload_that_kills_its_workers_is_given_up_and_the_rows_stay(
    client_under_test: ClientUnderTest, big_file: SourceFile
) -> None:
    tasks.load(big_file.pk)
    assert reprocess(SourceFile.objects.filter(pk=big_file.pk))
    for _ in range(10):
        assert SourceFile.objects.get(pk=big_file.pk).reload_requested_at
        LoadAttempt.objects.create(source_file=big_file, actor="test", worker="gone:1", is_reload=True)
        tasks.sweep()
    big_file.refresh_from_db()
    assert (big_file.reload_requested_at, big_file.failures) == (None, 0)
    assert_loaded_once(client_under_test, big_file)


def test_a_discovery_whose_worker_died_is_closed_by_the_sweep_and_due_again(
    client_under_test: ClientUnderTest,
) -> None:
    dead = DiscoveryRun.objects.create(connection=client_under_test.connection, actor="gone")
    ClientConnection.objects.update(next_discovery_at=timezone.now() + timedelta(hours=6))
    with one_at_a_time_elsewhere(client_under_test.connection.pk):
        tasks.sweep()
        dead.refresh_from_db()
        assert dead.outcome == "RUNNING", "a living worker's discovery is not closed"
    tasks.sweep()
    dead.refresh_from_db()
    assert (dead.outcome, dead.error_code) == ("FAILED", "worker_crashed")
    assert queue_due_discoveries() == 1


def test_a_discovery_that_lost_its_session_does_not_rewrite_what_another_told(
    client_under_test: ClientUnderTest,
) -> None:
    began = begin_run(client_under_test.connection, "slow")
    tasks.sweep()  # it holds no lock any more, as if its session had been ended
    told = end_run(began, Discovery(listed=5))
    assert (told.outcome, told.error_code, told.listed) == ("FAILED", "worker_crashed", 0)
    client_under_test.connection.refresh_from_db()
    assert client_under_test.connection.last_discovered_at is None
