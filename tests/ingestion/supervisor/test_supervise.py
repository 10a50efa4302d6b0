"""What the supervisor must see, what it must not hold against its cluster, and how it lets go."""

import os
import threading
from pathlib import Path

import psutil
import pytest
from django.utils import timezone
from django_q.models import Schedule

from ingestion import tasks
from ingestion.models import LoadAttempt, Worker
from ingestion.schedules import TICK
from ingestion.status import a_worker_works
from ingestion.supervisor import cluster
from ingestion.supervisor.supervise import Patience, Supervisor
from ingestion.supervisor.watch import Pulse
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, held
from tests.ingestion.supervisor.clusters import IMPATIENT, restarted_once, titled, working
from tests.processes import worker
from tests.read_only import read_only_database
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

LONG_AGO = "2026-01-01T00:00:00Z"


def sentinel() -> psutil.Process:
    """That of the only worker's cluster: the one child of its main process."""
    main = Worker.objects.get(stopped_at=None).cluster_pid
    assert main
    [found] = psutil.Process(main).children()
    return found


def test_a_sentinel_that_hangs_beside_living_processes_is_noticed(raw_database: None) -> None:
    with worker(**IMPATIENT | {"KCX_WORKERS": "2"}):
        until(working, "the cluster works")
        hung = sentinel()
        hung.suspend()
        Schedule.objects.filter(name=TICK).update(next_run=LONG_AGO)
        assert not a_worker_works(), "it takes tasks, and no schedule runs"
        until(restarted_once, "the cluster is started anew", seconds=120)
        assert Worker.objects.get().restart_reason.startswith("A schedule was due")
        until(lambda: Schedule.objects.get(name=TICK).next_run > timezone.now(), "the schedule runs again")
        assert not psutil.pid_exists(hung.pid)


def test_a_cluster_without_processes_whose_sentinel_hangs_is_started_anew(raw_database: None) -> None:
    with worker(**IMPATIENT):
        until(working, "the cluster works")
        sentinel().suspend()
        for process in titled("idle"):
            process.kill()
        until(restarted_once, "the cluster is started anew")
        assert Worker.objects.get().restart_reason.startswith("No task was taken")


def test_a_schedule_that_would_never_run_is_mended_while_a_worker_runs(raw_database: None) -> None:
    with worker(**IMPATIENT):
        until(working, "the cluster works")
        for drift in ({"next_run": None}, {"next_run": "2036-01-01T00:00:00Z"}, {"repeats": 0}):
            drifted = Schedule.objects.filter(name=TICK, **drift)
            Schedule.objects.filter(name=TICK).update(**drift)
            until(lambda schedules=drifted: not schedules.exists(), f"mended: {drift}")  # type: ignore[misc]


def test_no_cluster_is_blamed_while_the_database_takes_no_writes(raw_database: None) -> None:
    supervisor = Supervisor(Path(), Patience(stale=60, drain=0))
    supervisor._row = Worker.objects.create(name="host:1")
    with read_only_database():
        assert supervisor._pulse() is None
    assert isinstance(supervisor._pulse(), Pulse)


def test_sigterm_while_a_hung_cluster_drains_starts_no_other(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    client_under_test.account.put_object("exports/file.csv.gz", csv_gz("n\n1\n"))
    client_under_test.discover()
    go_on = threading.Event()
    wire.script("GetObject", held(go_on))
    with worker(**IMPATIENT | {"KCX_WORKERS": "2"}) as running:
        tasks.sweep()
        until(lambda: LoadAttempt.objects.filter(outcome="RUNNING").exists(), "the load runs")
        for process in titled("idle"):
            process.kill()
        until(lambda: Worker.objects.exclude(restart_reason="").exists(), "it drains, to be started anew")
        running.terminate()
        go_on.set()
        assert running.wait(timeout=60) == 0
    assert LoadAttempt.objects.get().outcome == "SUCCEEDED"
    assert Worker.objects.get().restarts == 0


def test_a_process_that_may_not_be_looked_at_is_none_of_the_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: psutil.Process) -> str:
        raise psutil.AccessDenied(process.pid)

    assert cluster._lives_in(os.getsid(0), psutil.Process())
    # As under hidepid, which only the machine's administrator can set.
    monkeypatch.setattr(psutil.Process, "status", refuse)
    assert not cluster._lives_in(os.getsid(0), psutil.Process())
