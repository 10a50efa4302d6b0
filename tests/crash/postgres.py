"""A PostgreSQL of the crash test's own: it may be restarted, which no other test would forgive."""

import subprocess
from pathlib import Path

import psutil
from django.db import OperationalError, connection, connections

from tests.waiting import until


def restart(folder: Path) -> None:
    """Stop the embedded server of `folder` as a crash would, start it again, and connect to it."""
    restart_server(folder)
    reconnect()


def restart_server(folder: Path) -> None:
    """Stop the embedded server of `folder` as a crash would, and start it again."""
    postmaster = psutil.Process(int((folder / "postmaster.pid").read_text().splitlines()[0]))
    pg_ctl = Path(postmaster.exe()).with_name("pg_ctl")
    subprocess.run(
        [pg_ctl, "-D", folder, "-m", "immediate", "-w", "-l", folder / "restarts.log", "restart"],
        check=True,
        stdout=subprocess.DEVNULL,
        # PostgreSQL refuses to run as root.
        user=postmaster.username(),
        cwd=folder,
    )


def reconnect() -> None:
    """Get sessions that work, once the server takes them."""

    def answers() -> bool:
        connections.close_all()
        try:
            connection.ensure_connection()
        except OperationalError:
            return False
        return True

    until(answers, "PostgreSQL takes connections again")


def terminate_backends(name: str) -> int:
    """End every session of the processes that call themselves `name`; answers how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s",
            [name],
        )
        ended: int = cursor.fetchone()[0]
    return ended
