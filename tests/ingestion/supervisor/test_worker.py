"""`manage.py worker` on real processes: what dies or hangs is replaced, each file loaded once."""

import os
import signal

import psutil
import pytest
from django_q.models import OrmQ
from django_q.tasks import async_task

from ingestion import tasks
from ingestion.models import LoadAttempt, SourceFile, Worker
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.supervisor.clusters import IMPATIENT, restarted_once, runs, titled, waiting, working
from tests.processes import worker
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/file.csv.gz"
ROWS = 150_000


@pytest.fixture
def big_file(client_under_test: ClientUnderTest) -> SourceFile:
    """A file whose load takes seconds."""
    lines = "".join(f"{number},{'x' * 300}\n" for number in range(1, ROWS + 1))
    client_under_test.account.put_object(KEY, csv_gz("n,text\n" + lines))
    client_under_test.discover()
    return client_under_test.file(KEY)


def small_file(client: ClientUnderTest) -> SourceFile:
    client.account.put_object(KEY, csv_gz("n\n1\n"))
    client.discover()
    return client.file(KEY)


def assert_loaded(file: SourceFile) -> None:
    until(lambda: SourceFile.objects.filter(pk=file.pk, status="INGESTED").exists(), "the file is loaded")


@pytest.mark.parametrize("victim", ["idle", "monitor", "pusher"])
def test_a_process_killed_while_it_waits_does_not_stop_the_work(
    client_under_test: ClientUnderTest, victim: str
) -> None:
    with worker(**IMPATIENT) as running:
        until(working, "the cluster works")
        for process in titled(victim) if victim == "pusher" else waiting(victim):
            process.kill()
        file = small_file(client_under_test)
        tasks.sweep()
        assert_loaded(file)
        if victim != "pusher":
            until(restarted_once, "the cluster hung and was started anew")
        running.terminate()
        assert running.wait(timeout=60) == 0
    assert Worker.objects.get().cluster_pid is None


def test_a_worker_killed_inside_a_load_is_replaced_and_the_file_loaded_once(
    client_under_test: ClientUnderTest, big_file: SourceFile
) -> None:
    with worker(**IMPATIENT):
        tasks.sweep()
        until(lambda: LoadAttempt.objects.filter(outcome="RUNNING").exists(), "the load runs")
        os.kill(int(LoadAttempt.objects.get().worker.rpartition(":")[2]), signal.SIGKILL)

        def swept() -> bool:
            tasks.sweep()
            return LoadAttempt.objects.filter(outcome="CRASHED").exists()

        until(swept, "the sweep closes the attempt and queues the file again")
        assert_loaded(big_file)
    assert sorted(LoadAttempt.objects.values_list("outcome", flat=True)) == ["CRASHED", "SUCCEEDED"]
    assert len(client_under_test.rows(KEY)) == ROWS
    assert Worker.objects.get().restarts == 0, "django-q2 replaces a process that dies at work"


def test_a_dead_sentinel_leaves_no_orphans_and_the_work_goes_on(client_under_test: ClientUnderTest) -> None:
    with worker(**IMPATIENT):
        until(working, "the cluster works")
        before = Worker.objects.get()
        assert before.cluster_pid
        members = psutil.Process(before.cluster_pid).children(recursive=True)
        sentinel = next(process for process in members if process.ppid() == before.cluster_pid)
        sentinel.kill()
        until(restarted_once, "the supervisor starts a new cluster")
        assert not [process for process in members if runs(process)], "no orphan goes on"
        file = small_file(client_under_test)
        tasks.sweep()
        assert_loaded(file)


def test_every_process_that_takes_tasks_keeps_to_the_memory_limit(client_under_test: ClientUnderTest) -> None:
    with worker(**IMPATIENT, KCX_WORKER_MEMORY_MB="2000"):
        until(working, "the cluster works")
        limits = {process.rlimit(psutil.RLIMIT_DATA) for process in titled("idle")}
        assert limits == {(2000 * 2**20, 2000 * 2**20)}
        file = small_file(client_under_test)
        tasks.sweep()
        assert_loaded(file)


def test_sigterm_lets_a_running_load_finish(client_under_test: ClientUnderTest, big_file: SourceFile) -> None:
    with worker(**IMPATIENT) as running:
        tasks.sweep()
        until(lambda: LoadAttempt.objects.filter(outcome="RUNNING").exists(), "the load runs")
        running.terminate()
        assert running.wait(timeout=60) == 0
    assert list(LoadAttempt.objects.values_list("outcome", flat=True)) == ["SUCCEEDED"]
    assert len(client_under_test.rows(KEY)) == ROWS


def test_a_load_longer_than_the_drain_is_killed_and_leaves_nothing(
    client_under_test: ClientUnderTest, big_file: SourceFile
) -> None:
    with worker(**IMPATIENT, KCX_DRAIN_SECONDS="0") as running:
        tasks.sweep()
        until(lambda: LoadAttempt.objects.filter(outcome="RUNNING").exists(), "the load runs")
        running.terminate()
        assert running.wait(timeout=60) == 0
    assert client_under_test.rows(KEY) == []

    def swept() -> bool:
        tasks.sweep()
        return LoadAttempt.objects.filter(outcome="CRASHED").exists()

    until(swept, "the next sweep finds the crash")
    tasks.load(big_file.pk)
    assert len(client_under_test.rows(KEY)) == ROWS


def test_a_cluster_stops_by_itself_when_its_supervisor_is_killed(client_under_test: ClientUnderTest) -> None:
    with worker(**IMPATIENT) as running:
        until(working, "the cluster works")
        leader = Worker.objects.get().cluster_pid
        assert leader
        running.kill()
        running.wait()
        until(lambda: not psutil.pid_exists(leader), "the cluster's main process ends")


def test_two_workers_through_an_hour_of_ticks_with_every_task_doubled(
    client_under_test: ClientUnderTest,
) -> None:
    client = client_under_test
    with worker(KCX_WORKERS="2"), worker(KCX_WORKERS="2"):
        for minute in range(60):
            if minute % 10 == 0:
                client.account.put_object(f"exports/lines/{minute}.csv", b"n\n" + b"%d\n" % minute * 100)
                type(client.connection).objects.update(next_discovery_at="2026-01-01T00:00:00Z")
            for _ in range(2):
                async_task("ingestion.tasks.tick")
                async_task("ingestion.tasks.sweep")
            for file in SourceFile.objects.filter(status="NEW"):
                async_task("ingestion.tasks.load", file.pk)
                async_task("ingestion.tasks.load", file.pk)
            until(lambda: OrmQ.objects.count() < 20, "the queue is short again")
        until(lambda: OrmQ.objects.count() == 0, "the queue is empty")
        tasks.sweep()
        until(
            lambda: (SourceFile.objects.filter(status="INGESTED").count(), OrmQ.objects.count()) == (6, 0),
            "every file is loaded",
        )
    assert LoadAttempt.objects.count() == LoadAttempt.objects.filter(outcome="SUCCEEDED").count() == 6
    for minute in range(0, 60, 10):
        assert client.rows(f"exports/lines/{minute}.csv") == [[str(minute)]] * 100
    assert set(Worker.objects.values_list("restarts", flat=True)) == {0}
