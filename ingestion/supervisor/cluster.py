"""One django-q2 cluster as a supervisor sees it: processes to start, to look at and to stop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

# How long a cluster that runs no task may take to end by itself.
SECONDS_WITHOUT_TASK = 10.0
SECONDS_BETWEEN_LOOKS = 0.5


class Cluster:
    """A running `qcluster`, in a session of its own, so that Ctrl-C on a terminal does not reach it.

    Only its main process is ever asked to end: a signal to the whole group would kill tasks half-way and
    leave the main process waiting for ever.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._main = subprocess.Popen(
            [sys.executable, "-m", "django", "qcluster", "--skip-checks"],
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        self.pid = self._main.pid
        self.started_at = time.monotonic()
        # It has none yet while it starts.
        self._came_up = False

    def exit_status(self) -> int | None:
        """That of the main process; None while it runs."""
        return self._main.poll()

    def free(self) -> bool:
        """Does one of its processes wait for a task, or is none left that could run one?"""
        titles = self._titles()
        idle = any(title.endswith(" idle") for title in titles)
        self._came_up = self._came_up or idle
        return idle or (self._came_up and not _any_busy(titles))

    def busy(self) -> bool:
        """Does one of its processes run a task?"""
        return _any_busy(self._titles())

    def stop(self, drain_seconds: float) -> None:
        """Let running tasks end, for at most so many seconds, then kill what is left."""
        self._main.send_signal(signal.SIGTERM)
        asked = last_busy = time.monotonic()
        while self.exit_status() is None:
            now = time.monotonic()
            if self.busy():
                last_busy = now
            if now - asked > drain_seconds or now - last_busy > SECONDS_WITHOUT_TASK:
                break
            with suppress(subprocess.TimeoutExpired):
                self._main.wait(SECONDS_BETWEEN_LOOKS)
        self.kill()

    def kill(self) -> None:
        """End all its processes at once, one by one, and those that lost their parents too."""
        while members := self._members():
            for process in members:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(members, timeout=1)
        self._main.wait()

    def _members(self) -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _lives_in(self.pid, process)]

    def _titles(self) -> list[str]:
        titles = []
        for process in self._members():
            with suppress(psutil.Error):
                titles.append(" ".join(process.cmdline()).strip())
        return titles


def _any_busy(titles: list[str]) -> bool:
    return any(" processing " in title for title in titles)


def _lives_in(session: int, process: psutil.Process) -> bool:
    """Is it of the session? One that is gone, waits to be buried, or may not be looked at is not."""
    with suppress(psutil.Error, ProcessLookupError, PermissionError):
        # The session first, for all processes of the machine: it costs a tenth of a look at the state.
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    return False
