"""Runs mutants in a child process with bounded memory and time; a child that dies is replaced."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.originals import Original
from tests.fuzz.verdicts import verdict

SECONDS = 30
MEMORY = 3 * 2**30  # of addresses: Arrow's allocator reserves a gigabyte at a time
DEATHS = {signal.SIGALRM: "HANG", signal.SIGKILL: "OUT OF MEMORY"}

Job = tuple[Original, int]


def judged(jobs: list[Job]) -> Iterator[tuple[Job, str]]:
    """Every job with its verdict, in order."""
    done = 0
    while done < len(jobs):
        lines, status = _child(jobs[done:])
        yield from zip(jobs[done:], lines, strict=False)
        done += len(lines)
        if done < len(jobs):
            number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            yield jobs[done], DEATHS.get(number, f"CRASH by signal {number}")
            done += 1


def _child(jobs: list[Job]) -> tuple[list[str], int]:
    """The verdicts a child came to before it ended, and how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _work(jobs, writing)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        found = [line.rstrip("\n") for line in lines]
    return found, os.waitpid(child, 0)[1]


def _work(jobs: list[Job], writing: int) -> None:
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # ends the process even inside a library
    for original, seed in jobs:
        signal.alarm(SECONDS)
        found = verdict(original, seed).replace("\n", " ")
        signal.alarm(0)
        os.write(writing, f"{found}\n".encode())
