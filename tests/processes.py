"""Other processes of KCX, on the test's own database and simulated AWS."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from urllib.parse import urlencode

from django.conf import settings
from django.db import connection

from tests.conftest import REPOSITORY
from tests.waiting import until

SETUP = "import django; django.setup()\n"


def environment(login: dict[str, str] | None = None) -> dict[str, str]:
    """What a KCX process needs to use the database of the running test; `login`: user and password."""
    params = {**connection.get_connection_params(), **(login or {})}
    parts = {name: str(params[name]) for name in ("host", "port", "user", "password") if params.get(name)}
    url = f"postgres:///{params['dbname']}?{urlencode(parts)}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "kcx.settings",
    }


@contextmanager
def python(code: str, login: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process that runs `code` with Django set up; killed when the block ends."""
    command = [sys.executable, "-c", SETUP + code]
    with _running(command, login) as process:
        yield process


@contextmanager
def manage(*arguments: str, login: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process of `manage.py`; killed, with its children, when the block ends."""
    with _running([sys.executable, "manage.py", *arguments], login) as process:
        yield process


@contextmanager
def worker(login: dict[str, str] | None = None, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """A `manage.py worker`, with its settings; asked to end when the block ends, and given time for it.

    Killed at once it would leave its cluster behind, which is in a session of its own.
    """
    with _running([sys.executable, "manage.py", "worker"], login, settings) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=90)


@contextmanager
def web() -> Iterator[int]:
    """The port of a gunicorn that answers, as behind a proxy with TLS; killed when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "2", "kcx.wsgi"]
    with _running(command, None, {"BEHIND_TLS_PROXY": "1"}):
        until(lambda: _listens(port), "gunicorn listens")
        yield port


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def _running(
    command: list[str], login: dict[str, str] | None, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**environment(login), **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.communicate()
