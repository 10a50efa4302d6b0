"""What a command says where the database is not KCX's yet, or is not there at all."""

import os
import re
import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.processes import environment

TRACEBACK = "Traceback"


def status_at(database_url: str) -> "subprocess.CompletedProcess[str]":
    """What `manage.py status` answers there."""
    own = {**environment(), "DATABASE_URL": database_url}
    command = [sys.executable, "manage.py", "status"]
    return subprocess.run(command, cwd=REPOSITORY, env=own, capture_output=True, text=True, check=False)


@pytest.mark.django_db
def test_a_database_that_is_not_migrated_is_told_with_what_to_run() -> None:
    empty = re.sub(r"///[^?]+", "///postgres", environment()["DATABASE_URL"])
    ended = status_at(empty)
    assert ended.returncode == 1
    assert "run `manage.py migrate`" in ended.stderr
    assert TRACEBACK not in ended.stderr


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_told_in_a_sentence(tmp_path: os.PathLike[str]) -> None:
    ended = status_at(f"postgres:///kcx?host={tmp_path}&user=kcx")
    assert ended.returncode == 1
    assert ended.stderr.startswith("CommandError: PostgreSQL cannot be asked")
    assert TRACEBACK not in ended.stderr
