"""The demo's child processes: they share nothing with a real system, and none outlives the demo."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
# What would lead a child to a real database, queue or AWS account.
FOREIGN = ("DATABASE_URL", "SECRET_KEY", "KCX_", "AWS_")
SECONDS_TO_STOP = 20


class Children:
    """Starts, waits for and stops processes of KCX in the demo's environment."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self._environment = {**own, **settings, "DJANGO_SETTINGS_MODULE": "kcx.settings"}
        self._running: list[subprocess.Popen[str]] = []

    def manage(self, *arguments: str, may_fail: bool = False) -> None:
        """Run a command to its end, on this terminal.

        Raises CalledProcessError where it fails; with `may_fail`, status 1 may be its answer.
        """
        process = self.start("manage.py", *arguments)
        if process.wait() not in ({0, 1} if may_fail else {0}):
            raise subprocess.CalledProcessError(process.returncode, arguments)
        self._running.remove(process)

    def asked(self, *arguments: str, may_refuse: bool = False) -> str:
        """What a command prints. Raises CalledProcessError where it fails; status 1 may be its answer."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command,
            env=self._environment,
            cwd=PROJECT,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if may_refuse else None,
            text=True,
        )
        if not (may_refuse and done.returncode == 1):
            done.check_returncode()
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A Python process that runs until `stop`. Ctrl-C on the terminal reaches the demo only."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=self._environment,
            cwd=PROJECT,
            text=True,
            start_new_session=True,
        )
        self._running.append(process)
        return process

    def ended(self) -> list[str]:
        """The commands of processes that should still run and do not."""
        return [str(process.args) for process in self._running if process.poll() is not None]

    def stop(self) -> None:
        """Ask every process to end, then end what is left, with all it started."""
        for process in self._running:
            process.terminate()
        for process in self._running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(SECONDS_TO_STOP)
            _kill_group(process.pid)
            process.wait()


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
