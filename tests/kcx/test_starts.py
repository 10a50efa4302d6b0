"""What a process loads as it starts: what it serves, and no more."""

import json
import subprocess
import sys

import pytest

from tests.processes import REPOSITORY, SETUP, environment

PAGES = "ingestion.admin"
HEAVY = [PAGES, "boto3", "pyarrow", "rest_framework.compat"]


def loaded(code: str) -> list[str]:
    """What of it a process has loaded that runs `code` with Django set up."""
    tell = f"\nimport json, sys\nprint(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    command = [sys.executable, "-c", SETUP + code + tell]
    run = subprocess.run(command, cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, check=True)
    found: list[str] = json.loads(run.stdout)
    return found


def test_the_supervisor_loads_neither_pages_nor_boto3_nor_arrow() -> None:
    assert loaded("from ingestion.management.commands import worker") == []


@pytest.mark.parametrize(
    "code", ["import kcx.wsgi", "from django.core import checks\nchecks.run_checks(tags=['admin'])"]
)
def test_the_web_and_the_checks_of_the_admin_load_its_pages(code: str) -> None:
    assert PAGES in loaded(code)
