"""One measured job in a process of its own, whose peak memory is then that job's alone; prints JSON."""

import json
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

from django.db import connections

from ingestion.aws_calls import Calls
from ingestion.models import SourceFile
from ingestion.pipeline import run
from ingestion.pipeline.assume_role import access_of, s3_client


def ingest(file_id: int) -> None:
    """A registered file's whole load, from AssumeRole to the commit."""
    attempt = run.load(file_id, "bench")
    if attempt is None or attempt.outcome != attempt.Outcome.SUCCEEDED:
        raise RuntimeError(f"file {file_id} was not loaded: {attempt and attempt.error_message}")


def read_only(file_id: int) -> None:
    """A registered file's bytes, read to nowhere in one plain GET: what the S3 endpoint alone takes."""
    file = SourceFile.objects.get(pk=file_id)
    access = access_of(file.connection)
    body = s3_client(access, Calls("bench")).get_object(Bucket=access.bucket, Key=file.key)["Body"]
    while body.read(2**20):
        pass


def measured(job: Callable[[int], None], file_id: int) -> None:
    """Do the job and print its seconds of wall clock and of CPU, and its process's peak memory in MB."""
    for alias in ("default", "progress"):
        connections[alias].ensure_connection()  # as in a worker, which keeps them open
    idle, cpu, start = _peak_mb(), _cpu_seconds(), time.perf_counter()
    job(file_id)
    seconds, cpu = time.perf_counter() - start, _cpu_seconds() - cpu
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "idle_mb": idle, "peak_mb": _peak_mb()}))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> float:
    """Not ru_maxrss: on Linux that begins at the peak of the process that started this one."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024
