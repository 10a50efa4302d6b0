"""Workers killed inside real clusters: within two ticks their files are being loaded again."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from ingestion.models import ClientConnection, Delivery, DiscoveryRun, LoadAttempt, SourceFile
from tests.conftest import REPOSITORY
from tests.crash import postgres, truth
from tests.crash.delivered import Deliverer, Expected
from tests.crash.harness import pass_time
from tests.crash.story import of_crash
from tests.waiting import until

# Of a restart: the session that ended, the task given out again, and the retry of what failed.
MOST_TICKS = 6
OPEN = Delivery.objects.filter(status__in=["PENDING", "INCOMPLETE"])


@dataclass
class KilledInCluster:
    """`ticks`: how many it took until the killed worker's file was taken up again.

    No `clusters`: PostgreSQL was restarted beneath one.
    """

    clusters: int
    ticks: int = 0
    faults: list[str] = field(default_factory=list)


def kill_in_cluster(connection_id: int, deliverer: Deliverer, kills: int, seed: int) -> list[KilledInCluster]:
    """Half of the kills with one cluster, half with two."""
    chance, found = random.Random(seed), []
    for clusters, count in ((1, kills - kills // 2), (2, kills // 2)):
        if not count:
            continue
        with _workers(clusters):
            while sum(one.clusters == clusters for one in found) < count:
                newest = deliverer.deliver(chance.choice(["csv.gz", "parquet"]), 3)
                if killed := _kill_one(clusters, chance):
                    _recover(*killed, connection_id, newest)
                    found.append(killed[0])
                else:  # the load was quicker than the killer
                    until(lambda: not _waiting(), "what was delivered is loaded")
    return found


def restart_beneath_cluster(connection_id: int, deliverer: Deliverer, database: Path) -> KilledInCluster:
    """PostgreSQL is restarted the hard way while a real cluster loads; the cluster goes on by itself."""
    found = KilledInCluster(clusters=0)
    with _workers(1):
        newest = deliverer.deliver("csv.gz", 3)
        _tick()
        until(lambda: LoadAttempt.objects.filter(outcome="RUNNING").exists() or not _waiting(), "a load runs")
        postgres.restart(database)
        while not _settled():
            if found.ticks == MOST_TICKS:
                found.faults.append(f"late: {MOST_TICKS} ticks did not load what waited")
                return found
            _tick()
            found.ticks += 1
            with suppress(AssertionError):
                until(_settled, "all is loaded", seconds=5)
    found.faults += truth.half_visible(connection_id, [newest])
    found.faults += truth.unsettled(connection_id, newest)
    return found


def _kill_one(clusters: int, chance: random.Random) -> tuple[KilledInCluster, LoadAttempt] | None:
    """Kill the process that loads; None where it was quicker."""
    _tick()
    running = LoadAttempt.objects.filter(outcome="RUNNING")
    until(lambda: running.exists() or not _waiting(), "a load runs")
    time.sleep(chance.uniform(0, 0.4))
    attempt = running.first()
    if attempt is None:
        return None
    os.kill(int(attempt.worker.rpartition(":")[2]), signal.SIGKILL)
    return KilledInCluster(clusters), attempt


def _recover(killed: KilledInCluster, dead: LoadAttempt, connection_id: int, newest: Expected) -> None:
    """Two ticks, and no third: the first may come before PostgreSQL has noticed the death."""
    for killed.ticks in (1, 2):
        _tick()
        dead.refresh_from_db()
        if dead.outcome != "RUNNING":
            break
    else:
        killed.faults.append("late: two ticks did not take the file up again")
    until(lambda: not _waiting() and not OPEN.exists(), "every file is loaded, and the delivery published")
    dead.refresh_from_db()
    if dead.outcome != "SUCCEEDED":  # it had committed when the kill came
        killed.faults += of_crash(dead)
    killed.faults += truth.half_visible(connection_id, [newest])
    killed.faults += truth.unsettled(connection_id, newest)


def _tick() -> None:
    """What the schedule does every minute, done by a worker."""
    pass_time()
    sweeps = Task.objects.filter(func="ingestion.tasks.sweep")
    before = sweeps.count()
    async_task("ingestion.tasks.tick")
    async_task("ingestion.tasks.sweep")
    until(lambda: sweeps.count() > before and not _discovering(), "the tick is done")


def _discovering() -> bool:
    return (
        ClientConnection.objects.filter(next_discovery_at__lte=timezone.now()).exists()
        or any(task.task["func"].endswith("discover") for task in OrmQ.objects.all())
        or DiscoveryRun.objects.filter(outcome="RUNNING").exists()
    )


def _settled() -> bool:
    """Is all loaded and published, and every attempt closed?"""
    return not _waiting() and not OPEN.exists() and not LoadAttempt.objects.filter(outcome="RUNNING").exists()


def _waiting() -> bool:
    return SourceFile.objects.filter(status__in=["NEW", "FAILED"]).exists()


@contextmanager
def _workers(count: int) -> Iterator[None]:
    command = [sys.executable, "manage.py", "worker"]
    # A kill may come just after the load, and then hit a process that waits: the supervisor has to notice.
    impatient = {**os.environ, "KCX_STALE_SECONDS": "10"}
    running = [
        subprocess.Popen(command, cwd=REPOSITORY, env=impatient, start_new_session=True) for _ in range(count)
    ]
    try:
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
        # One that a restart of PostgreSQL delayed would start the server again when it is stopped.
        until(lambda: not any(map(_is_of_a_worker, psutil.process_iter())), "no process of a worker is left")


def _is_of_a_worker(process: psutil.Process) -> bool:
    """Is it a `manage.py` of this run? A cluster's processes are in a session of their own."""
    try:
        ours = process.environ().get("KCX_DATA_DIR") == os.environ["KCX_DATA_DIR"]
        return ours and "manage.py" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:  # it has ended
        return False
