"""A seeded sample of the crash test; all of it is `make crash-test`."""

import os
import re
import subprocess
import sys

from tests.conftest import REPOSITORY

# Of what the processes say as they break; what ended the run is told last.
MOST_SAID = 4000
COMMAND = [sys.executable, "-m", "tests.crash", "--kills", "8", "--cluster-kills", "2", "--seed", "25257"]


def test_a_few_crashes_lose_double_and_half_show_nothing() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("KCX_", "AWS_"))}
    run = subprocess.run(
        COMMAND, check=False, cwd=REPOSITORY, env=own, capture_output=True, text=True, timeout=500
    )
    assert run.returncode == 0, run.stdout + run.stderr[-MOST_SAID:]
    assert ", 8 crashes, " in run.stdout.replace(";", ",")
    assert "restarted beneath a real cluster | 1 |" in run.stdout
    assert "before the attempt | 1 |" in run.stdout
    assert re.search(r" [1-9]\d* of reloads", run.stdout)
    assert re.search(r"^[1-9]\d* answers of S3 were cut", run.stdout, re.MULTILINE)
    assert re.search(r"verify compared \d\d+ things at the end; 0 differ", run.stdout)
    for fault in ("worker killed", "sessions terminated", "PostgreSQL restarted", "an answer of S3 cut"):
        assert fault in run.stdout, "every kind of fault is in the sample"
