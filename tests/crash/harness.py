"""Breaks a worker in one way at one place, lets KCX recover, and says what was found wrong."""

import multiprocessing
import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from ingestion import tasks
from ingestion.models import ClientConnection, Delivery, SourceFile
from ingestion.reruns import reprocess
from tests.crash import postgres, truth
from tests.crash.cases import AT_ANY_MOMENT, ON_THE_WIRE, Case, Fault
from tests.crash.delivered import Deliverer, Expected
from tests.crash.proxy import CuttableProxy
from tests.crash.story import Witness
from tests.crash.victim import POINTS, Point, work

# The fork server has Django and boto3 loaded: a victim starts in a moment.
PROCESSES = multiprocessing.get_context("forkserver")
PATIENCE_SECONDS = 90.0


@dataclass
class Found:
    """What came of one case. `reached` is False where nothing could be broken any more.

    `cuts`: answers of S3 that were cut. `failed`: attempts that gave up over it.
    """

    case: Case
    reached: bool = False
    ticks: int = 0
    cuts: int = 0
    failed: int = 0
    faults: list[str] = field(default_factory=list)


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
        found, witness = Found(case), Witness(case)
        newest = self._deliverer.deliver(case.kind, case.parts)
        if case.reload:
            found.ticks = self._recover(newest)
            reprocess(Delivery.objects.get(status="CURRENT", scope__export__name=newest.export).files.all())
        witness.before()
        legitimate = [*self._shown.values(), newest]
        victim, pipe = self._start("victim", case.point)
        found.reached = waits = self._wait_for(case, pipe)
        rivals = [self._start("rival", None)] if case.rival else []
        witness.victim, witness.rivals = victim.pid or 0, [one.pid or 0 for one, _ in rivals]
        if found.reached:
            found.faults += truth.half_visible(self._connection_id, legitimate)
            witness.at_the_break()
            self._break(case, victim)
        if case.point and waits and case.fault is not Fault.KILL:
            pipe.send("go on")
        for process, _ in ((victim, pipe), *rivals):
            found.faults += self._ended(process)
        self._mend(found)
        found.faults += truth.half_visible(self._connection_id, legitimate)
        loads = 2 if case.reload else 1
        found.ticks = self._recover(newest, loads)
        found.faults += truth.unsettled(self._connection_id, newest, loads)
        if found.reached:
            found.faults += witness.after()
            found.failed = witness.failed()
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

    def _break(self, case: Case, victim: ForkServerProcess) -> None:
        if case.fault is Fault.KILL and victim.pid:
            os.kill(victim.pid, signal.SIGKILL)
        elif case.fault is Fault.BACKEND:
            postgres.terminate_backends("victim")
        elif case.fault is Fault.POSTGRES:
            postgres.restart(self._database)
        elif case.fault in ON_THE_WIRE:
            self._proxy.cut(at=case.cut_at, lasting=case.fault is Fault.NO_S3)

    def _mend(self, found: Found) -> None:
        """All is there again. Where nothing more was asked of S3, nothing was cut."""
        if found.case.fault in ON_THE_WIRE:
            found.cuts = self._proxy.hits
            found.reached = found.cuts > 0
            self._proxy.heal()
        postgres.reconnect()

    def _ended(self, process: ForkServerProcess) -> list[str]:
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            return ["hung: a worker did not end by itself"]
        if process.exitcode not in (0, -signal.SIGKILL):
            return [f"raised: a worker ended with exit status {process.exitcode}"]
        return []

    def _recover(self, newest: Expected, loads: int = 1) -> int:
        """Ticks and sweeps, and what they queue, until the delivery is shown; answers how many."""
        for ticks in range(1, 6):
            pass_time()
            tasks.tick()
            tasks.sweep()
            run_queue()
            if not list(truth.unsettled(self._connection_id, newest, loads)):
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
