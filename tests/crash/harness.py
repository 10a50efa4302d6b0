"""Breaks a worker in one way at one place, lets KCX recover, and says what was found wrong."""

import multiprocessing
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from ingestion import tasks
from ingestion.models import ClientConnection, SourceFile
from tests.crash import postgres, truth
from tests.crash.delivered import Deliverer, Expected
from tests.crash.proxy import CuttableProxy
from tests.crash.victim import POINTS, Point, work

# The fork server has Django and boto3 loaded: a victim starts in a moment.
PROCESSES = multiprocessing.get_context("forkserver")
PATIENCE_SECONDS = 90.0
AT_ANY_MOMENT = "any moment"
# How often a place is passed by a run over one file; others are passed once a file.
PASSES = {"inside read": 8, "inside parse": 3, "inside COPY": 3, "inside commit": 6, "page listed": 1}


class Fault(StrEnum):
    """What is done to the worker."""

    KILL = "worker killed (SIGKILL)"
    BACKEND = "its PostgreSQL sessions terminated"
    POSTGRES = "PostgreSQL restarted"
    S3 = "its S3 connections cut"


@dataclass(frozen=True)
class Case:
    """One crash: `moment` in seconds after the start where there is no `point`."""

    fault: Fault
    kind: str
    parts: int
    rival: bool
    point: tuple[Point, int] | None
    moment: float

    @property
    def where(self) -> str:
        return self.point[0].name if self.point else AT_ANY_MOMENT


@dataclass
class Found:
    """What came of one case. `reached` is False where the worker had ended before the fault."""

    case: Case
    reached: bool = False
    ticks: int = 0
    faults: list[str] = field(default_factory=list)


def cases(seed: int) -> list[Case]:
    """Every fault at every place, and at any moment, in an order of their own."""
    chance = random.Random(seed)
    places: list[Point | None] = [*POINTS, *[None] * (len(POINTS) // 3)]
    made = [_case(chance, fault, place) for fault in Fault for place in places]
    chance.shuffle(made)
    return made


def _case(chance: random.Random, fault: Fault, point: Point | None) -> Case:
    parts = chance.choice([1, 3])
    stop = (point, chance.randint(1, PASSES.get(point.name, parts))) if point else None
    if point and point in POINTS[:5]:
        stop = (point, 1)
    kind = chance.choice(["csv.gz", "parquet"])
    return Case(fault, kind, parts, chance.random() < 0.4, stop, chance.uniform(0, 2))


class Harness:
    """One client whose month is restated between the crashes, on a database of its own."""

    def __init__(
        self, connection_id: int, deliverer: Deliverer, proxy: CuttableProxy, database: Path
    ) -> None:
        self._connection_id = connection_id
        self._deliverer = deliverer
        self._proxy = proxy
        self._database = database
        self._shown: dict[str, Expected] = {}

    def run(self, case: Case) -> Found:
        """Deliver, break, recover, compare."""
        found = Found(case)
        newest = self._deliverer.deliver(case.kind, case.parts)
        legitimate = [*self._shown.values(), newest]
        victim, pipe = self._start("victim", case.point)
        found.reached = waits = self._wait_for(case, pipe)
        rivals = [self._start("rival", None)] if case.rival else []
        if found.reached:
            found.faults += truth.half_visible(self._connection_id, legitimate)
            found.reached = self._break(case.fault, victim)
        if case.point and waits and case.fault is not Fault.KILL:
            pipe.send("go on")
        for process, _ in ((victim, pipe), *rivals):
            found.faults += self._ended(process)
        postgres.reconnect()
        found.faults += truth.half_visible(self._connection_id, legitimate)
        found.ticks = self._recover(newest)
        found.faults += truth.unsettled(self._connection_id, newest)
        self._shown[newest.export] = newest
        return found

    def _start(self, name: str, stop: tuple[Point, int] | None) -> tuple[ForkServerProcess, Connection]:
        ours, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=work, args=(self._connection_id, name, stop, theirs), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _wait_for(self, case: Case, pipe: Connection) -> bool:
        """Until the victim is where it is to be broken; False where it ended before."""
        if not case.point:
            return not pipe.poll(case.moment)
        try:
            return pipe.poll(PATIENCE_SECONDS) and bool(pipe.recv() == "here")
        except EOFError:
            return False  # it raised; its exit status tells

    def _break(self, fault: Fault, victim: ForkServerProcess) -> bool:
        """False where there was nothing to break: no connection to S3 is open at every place."""
        if fault is Fault.KILL and victim.pid:
            os.kill(victim.pid, signal.SIGKILL)
        elif fault is Fault.BACKEND:
            postgres.terminate_backends("victim")
        elif fault is Fault.POSTGRES:
            postgres.restart(self._database)
        elif fault is Fault.S3:
            return self._proxy.cut() > 0
        return True

    def _ended(self, process: ForkServerProcess) -> list[str]:
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            return ["hung: a worker did not end by itself"]
        if process.exitcode not in (0, -signal.SIGKILL):
            return [f"raised: a worker ended with exit status {process.exitcode}"]
        return []

    def _recover(self, newest: Expected) -> int:
        """Ticks and sweeps, and what they queue, until the delivery is shown; answers how many."""
        for ticks in range(1, 6):
            pass_time()
            tasks.tick()
            tasks.sweep()
            run_queue()
            if not list(truth.unsettled(self._connection_id, newest)):
                return ticks
        return ticks


def pass_time() -> None:
    """As if every pause before a retry, and until the next discovery, were over."""
    SourceFile.objects.filter(next_retry_at__isnull=False).update(next_retry_at=timezone.now())
    ClientConnection.objects.update(next_discovery_at=timezone.now())


def run_queue() -> None:
    """Do what is queued, as a cluster would, and what that queues."""
    while queued := OrmQ.objects.order_by("id").first():
        queued.delete()
        import_string(queued.task["func"])(*queued.task["args"])


def summary(found: list[Found]) -> list[tuple[str, Counter[str]]]:
    """Per fault, then per place: crashes, and what was found wrong, by the first word."""
    by_fault = [(fault.value, [one for one in found if one.case.fault is fault]) for fault in Fault]
    places = [*(point.name for point in POINTS), AT_ANY_MOMENT]
    by_place = [(place, [one for one in found if one.case.where == place]) for place in places]
    return [(name, _count(these)) for name, these in [*by_fault, *by_place]]


def _count(found: list[Found]) -> Counter[str]:
    counted = Counter({"crashes": sum(one.reached for one in found), "not reached": 0})
    counted["not reached"] = sum(not one.reached for one in found)
    counted["ticks"] = max((one.ticks for one in found), default=0)
    for one in found:
        counted.update(fault.partition(":")[0] for fault in one.faults)
    return counted
