"""The supervisor: starts a cluster, watches its signs of life, starts it anew, drains it at the end."""

import logging
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import FrameType

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import Worker
from ingestion.queueing import release_tasks
from ingestion.schedules import mend_schedules, tick_due_since
from ingestion.supervisor.cluster import Cluster
from ingestion.supervisor.heartbeat import VARIABLE
from ingestion.supervisor.watch import Pulse, Watch

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 1.0
# A cluster that dies sooner than this is started anew with growing pauses.
SHORT_LIFE = 60.0
LONGEST_PAUSE = 60.0
FORGOTTEN_AFTER = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: how long a cluster may be silent, and how long its tasks may run on once it must stop."""

    stale: float
    drain: float


class Supervisor:
    """Keeps one cluster working until SIGTERM or SIGINT. `folder` is where manage.py stands."""

    def __init__(self, folder: Path, patience: Patience) -> None:
        self._folder = folder
        self._patience = patience
        self._stopping = threading.Event()
        self._short_lives = 0
        # Sessions ended beneath the cluster too, and with them what it knew of the tasks it had taken.
        self._sessions_lost = False

    def run(self) -> None:
        """Supervise until asked to stop; returns when no process of the cluster is left."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        self._row = _new_row()
        self._start()
        while not self._stopping.wait(SECONDS_BETWEEN_LOOKS):
            if reason := self._fault():
                self._restart(reason)
        self._cluster.stop(self._patience.drain)
        self._write(stopped_at=Now(), cluster_pid=None)

    def _asked_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping.set()

    def _start(self) -> None:
        self._release_tasks()
        connection.close()
        self._cluster = Cluster(self._folder, {VARIABLE: str(self._row.pk)})
        self._watch = Watch(self._patience.stale, time.monotonic())
        self._write(cluster_pid=self._cluster.pid)

    def _fault(self) -> str:
        """What is wrong with the cluster; '' where nothing is."""
        status = self._cluster.exit_status()
        if status is not None:
            return f"The cluster's main process ended (exit status {status})."
        now = time.monotonic()
        reason = self._watch.look(self._pulse(), now, free=self._cluster.free())
        if not reason and self._watch.wants_beat(now):
            self._beat()
        return reason

    def _restart(self, reason: str) -> None:
        logger.warning("%s The cluster is started anew.", reason)
        self._write(restart_reason=reason)
        self._cluster.stop(self._patience.drain)
        if self._stopping.is_set():
            return
        lived = time.monotonic() - self._cluster.started_at
        self._short_lives = self._short_lives + 1 if lived < SHORT_LIFE else 0
        if self._short_lives > 1 and self._stopping.wait(min(2.0**self._short_lives, LONGEST_PAUSE)):
            return
        self._write(restarts=F("restarts") + 1)
        self._start()

    def _pulse(self) -> Pulse | None:
        """The cluster's signs of life; None where the database cannot be asked, or takes no writes."""
        if not self._write(seen_at=Now()):
            return None
        try:
            if mended := mend_schedules():
                logger.warning("Schedules that would not have run were written anew: %s", ", ".join(mended))
            due_since = tick_due_since()
            row = Worker.objects.get(pk=self._row.pk)
        except (DatabaseError, InterfaceError):
            self._lost_session()
            return None
        if self._sessions_lost:
            self._release_tasks()
        return Pulse(row.begun_at, row.ended_at, row.recorded_at, due_since)

    def _beat(self) -> None:
        try:
            async_task("ingestion.tasks.beat", task_name="beat")
        except (DatabaseError, InterfaceError):
            self._lost_session()

    def _release_tasks(self) -> None:
        try:
            release_tasks()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The tasks the cluster had taken cannot be given out again yet: %s", error)
            self._lost_session()
        else:
            self._sessions_lost = False

    def _lost_session(self) -> None:
        self._sessions_lost = True
        connection.close()

    def _write(self, **values: object) -> bool:
        """Did the database take it?"""
        try:
            Worker.objects.filter(pk=self._row.pk).update(**values)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The worker's row could not be written: %s", error)
            self._lost_session()
            return False
        return True


def _new_row() -> Worker:
    """This worker's row; those of workers that gave no sign of life for a week are removed."""
    Worker.objects.filter(seen_at__lt=timezone.now() - FORGOTTEN_AFTER).delete()
    return Worker.objects.create(name=f"{socket.gethostname()}:{os.getpid()}", seen_at=Now())
