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
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import psutil
import psycopg
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from ingestion.models import ClientConnection, Delivery, DiscoveryRun, LoadAttempt, SourceFile
from ingestion.pipeline.update_registry import locked
from tests.conftest import REPOSITORY
from tests.crash import postgres, truth
from tests.crash.delivered import Deliverer, Expected
from tests.crash.harness import pass_time
from tests.crash.story import of_crash, process
from tests.waiting import until

# Of a restart: the session that ended, the task given out again, and the retry of what failed.
MOST_TICKS = 6
A_MINUTE = timedelta(minutes=1)
OPEN = Delivery.objects.filter(status__in=["PENDING", "INCOMPLETE"])


class Broken(StrEnum):
    """What is done to real clusters."""

    ONE = "loading process of a real cluster killed"
    ONE_OF_TWO = "loading process of one of two real clusters killed"
    NOT_BEGUN = "process of a real cluster killed with a file it had claimed, before the attempt"
    POSTGRES = "PostgreSQL restarted beneath a real cluster"


@dataclass
class KilledInCluster:
    """`ticks`: how many it took until the killed worker's file was taken up again."""

    what: Broken
    ticks: int = 0
    faults: list[str] = field(default_factory=list)


def kill_in_cluster(connection_id: int, deliverer: Deliverer, kills: int, seed: int) -> list[KilledInCluster]:
    """Half of the kills with one cluster, half with two."""
    chance, found = random.Random(seed), []
    for what, count in ((Broken.ONE, kills - kills // 2), (Broken.ONE_OF_TWO, kills // 2)):
        if not count:
            continue
        with _workers(1 if what is Broken.ONE else 2):
            while sum(one.what is what for one in found) < count:
                newest = deliverer.deliver(chance.choice(["csv.gz", "parquet"]), 3)
                if killed := _kill_one(what, chance):
                    _recover(*killed, connection_id, newest)
                    found.append(killed[0])
                else:  # the load was quicker than the killer
                    until(lambda: not _waiting(), "what was delivered is loaded")
    return found


def restart_beneath_cluster(connection_id: int, deliverer: Deliverer, database: Path) -> KilledInCluster:
    """PostgreSQL is restarted the hard way while a real cluster loads; the cluster goes on by itself."""
    found = KilledInCluster(Broken.POSTGRES)
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


def kill_before_attempt(connection_id: int, deliverer: Deliverer) -> KilledInCluster:
    """A process is killed that has taken its task and its file, and written of it nothing that others see."""
    found = KilledInCluster(Broken.NOT_BEGUN)
    with _workers(1, KCX_WORKERS="1"):
        deliverer.deliver("csv.gz", 1)
        _tick()
        until(_settled, "the only process of the cluster is known by what it loaded")
        loader = process(LoadAttempt.objects.latest("id"))
        newest = deliverer.deliver("csv.gz", 1)
        before = LoadAttempt.objects.count()
        # Not by Django: queueing a task closes what it finds in a transaction.
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("LOCK TABLE ingestion_loadattempt IN SHARE MODE")
            _queue_tick()
            until(_attempt_waits, "a load waits to write its attempt")
            os.kill(loader, signal.SIGKILL)
        until(lambda: not _attempt_waits(), "its sessions have ended")
        assert LoadAttempt.objects.count() == before
        while LoadAttempt.objects.count() == before:
            if found.ticks == 2:
                found.faults.append("late: two ticks did not take the file up again")
                return found
            _tick()
            found.ticks += 1
            with suppress(AssertionError):
                until(lambda: LoadAttempt.objects.count() > before, "it is taken up", seconds=5)
        until(_settled, "all is loaded")
    found.faults += truth.half_visible(connection_id, [newest])
    found.faults += truth.unsettled(connection_id, newest)
    return found


def _attempt_waits() -> bool:
    """Is there a session that waits to write the beginning of an attempt?"""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE relation = 'ingestion_loadattempt'::regclass AND NOT granted)"
        )
        return bool(cursor.fetchone()[0])


def _kill_one(what: Broken, chance: random.Random) -> tuple[KilledInCluster, LoadAttempt] | None:
    """Kill the process that loads; None where it was quicker."""
    _tick()
    running = LoadAttempt.objects.filter(outcome="RUNNING")
    until(lambda: running.exists() or not _waiting(), "a load runs")
    time.sleep(chance.uniform(0, 0.4))
    attempt = running.first()
    if attempt is None:
        return None
    os.kill(process(attempt), signal.SIGKILL)
    return KilledInCluster(what), attempt


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
    sweeps = Task.objects.filter(func="ingestion.tasks.sweep")
    before = sweeps.count()
    _queue_tick()
    until(lambda: sweeps.count() > before and not _discovering(), "the tick is done")


def _queue_tick() -> None:
    pass_time()
    with transaction.atomic():  # what is loading now is queued by nobody
        free = list(locked(SourceFile.objects.all()).values_list("pk", flat=True))
        SourceFile.objects.filter(pk__in=free).update(queued_at=F("queued_at") - A_MINUTE)
    async_task("ingestion.tasks.tick")
    async_task("ingestion.tasks.sweep")


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
def _workers(count: int, **settings: str) -> Iterator[None]:
    command = [sys.executable, "manage.py", "worker"]
    # A kill may come just after the load, and then hit a process that waits: the supervisor has to notice.
    impatient = {**os.environ, "KCX_STALE_SECONDS": "10", **settings}
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
