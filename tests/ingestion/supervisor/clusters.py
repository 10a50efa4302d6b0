"""What a test sees of the only worker's cluster."""

import os
import time

import psutil

from ingestion.models import Worker
from tests.waiting import until

IMPATIENT = {"KCX_STALE_SECONDS": "9", "KCX_WORKERS": "1"}


def titled(word: str) -> list[psutil.Process]:
    """The processes of the only worker's cluster that say what they are."""
    leader = Worker.objects.get(stopped_at=None).cluster_pid
    assert leader
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and f" {word}" in " ".join(process.cmdline()):
                found.append(process)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return found


def waiting(word: str) -> list[psutil.Process]:
    """The same, after a second in which none of them worked: they hold what they hold while they wait."""
    used: list[float] = []
    since = time.monotonic()

    def rested() -> bool:
        nonlocal used, since
        try:
            now = [sum(process.cpu_times()[:2]) for process in titled(word)]
        except psutil.NoSuchProcess:
            now = []
        if used != now:
            used, since = now, time.monotonic()
        return bool(used) and time.monotonic() - since > 1

    until(rested, f"each {word} waits")
    return titled(word)


def runs(process: psutil.Process) -> bool:
    """Neither gone nor waiting to be buried."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def working() -> bool:
    """Did the only worker's cluster run a task?"""
    return Worker.objects.filter(stopped_at=None, recorded_at__isnull=False).exists()


def restarted_once() -> bool:
    return Worker.objects.filter(restarts=1).exists()
