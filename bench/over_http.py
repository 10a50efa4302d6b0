"""A download through gunicorn: seconds, the server's peak memory, and what small requests take meanwhile."""

import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import psutil

CHUNK = 2**20
SMALL = "/api/v1/clients/"


def a_token() -> str:
    """The secret of a new service user who may read everything."""
    from kcx.api.models import ServiceUser, Token  # noqa: PLC0415  # Django's models need the settings first

    user, _ = ServiceUser.objects.get_or_create(name="bench", scope="ALL")
    return Token.make(user, "bench", timedelta(hours=1))[1]


def download(url: str, secret: str, file_id: int, form: str) -> dict[str, float]:
    """One download of the file, by a server of its own; small requests are sent one after the other."""
    with _gunicorn(url) as (port, process):
        headers = {"Authorization": f"Token {secret}"}
        idle = [_asked(port, SMALL, headers)[0] for _ in range(30)]
        before = _peak_mb(process)
        ended, busy = threading.Event(), []

        def ask() -> None:
            while not ended.is_set():
                busy.append(_asked(port, SMALL, headers)[0])
                ended.wait(0.05)

        asking = threading.Thread(target=ask)
        asking.start()
        seconds, size = _asked(port, f"/api/v1/files/{file_id}/download/?format={form}", headers)
        ended.set()
        asking.join()
        return {
            "seconds": seconds,
            "mb": size / 1e6,
            "idle_mb": before,
            "peak_mb": _peak_mb(process),
            "small_idle_ms": 1000 * statistics.median(idle),
            "small_busy_ms": 1000 * statistics.median(busy),
            "small_worst_ms": 1000 * max(busy),
        }


def _asked(port: int, address: str, headers: dict[str, str]) -> tuple[float, int]:
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    began = time.perf_counter()
    # As behind a proxy with TLS: the server sends everybody else there.
    connection.request("GET", address, headers={**headers, "X-Forwarded-Proto": "https"})
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{address} answered {answer.status}: {answer.read(500)!r}")
    size = 0
    while data := answer.read(CHUNK):
        size += len(data)
    connection.close()
    return time.perf_counter() - began, size


@contextmanager
def _gunicorn(url: str) -> Iterator[tuple[int, psutil.Process]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "DATABASE_URL": url, "BEHIND_TLS_PROXY": "1"}
    environment["KCX_API_REQUESTS_PER_MINUTE"] = "1000000"
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "1"]
    running = subprocess.Popen(
        [*command, "--threads", "8", "--log-level", "warning", "kcx.wsgi"], env=environment
    )
    try:
        while True:
            try:
                _asked(port, "/healthz", {})
                break
            except OSError:
                time.sleep(0.1)
        [worker] = psutil.Process(running.pid).children()
        yield port, worker
    finally:
        running.terminate()
        running.wait()


def _peak_mb(process: psutil.Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
