"""The examples of docs/examples run as a reader runs them: each in a process and a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from ingestion.models import SourceFile
from ingestion.models.export_view import ExportView
from tests.builders import ClientUnderTest, csv_gz
from tests.conftest import IN_CI, REPOSITORY

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

EXAMPLES = REPOSITORY / "docs" / "examples"
DBT = REPOSITORY / ".venv-dbt" / "bin" / "dbt"
LIBPQ = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
}


@pytest.fixture
def view(client_under_test: ClientUnderTest) -> str:
    """The view of an export with 60,001 lines of March that cost 0.1 each: more than one fetch."""
    lines = "lineItem/UnblendedCost\n" + "0.1\n" * 60_001
    client_under_test.account.put_object("exports/daily/one.csv.gz", csv_gz(lines))
    client_under_test.ingest()
    SourceFile.objects.update(billing_period_start="2026-03-01", billing_period_end="2026-04-01")
    return ExportView.objects.get().name


def environment(tmp_path: Path) -> dict[str, str]:
    target = connection.get_connection_params()
    known = {LIBPQ[name]: str(value) for name, value in target.items() if name in LIBPQ and value}
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **known}


def ran(command: list[str | Path], tmp_path: Path, **more: str) -> str:
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env={**environment(tmp_path), **more},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("tool", ["pandas", "polars", "duckdb"])
def test_the_costs_of_a_period_are_read_with(tool: str, view: str, tmp_path: Path) -> None:
    told = ran([sys.executable, EXAMPLES / f"read_with_{tool}.py", view], tmp_path)
    [(period, cost)] = [line.split() for line in told.splitlines()]
    assert (period, float(cost)) == ("2026-03-01", pytest.approx(6000.1))


def test_dbt_builds_its_model_from_the_view(view: str, tmp_path: Path) -> None:
    if not DBT.exists():
        assert not IN_CI, "`make check` makes .venv-dbt"
        pytest.skip("dbt is not installed: make .venv-dbt/installed")
    project = shutil.copytree(EXAMPLES / "dbt", tmp_path / "project")
    schema = {"DBT_SCHEMA": "analytics", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    folders = ["--project-dir", project, "--profiles-dir", project, "--target-path", tmp_path / "target"]
    try:
        told = ran(
            [DBT, "build", *folders, "--log-path", tmp_path, "--vars", f"{{kcx_view: {view}}}"],
            tmp_path,
            **schema,
        )
        assert "Completed successfully" in told
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT billing_period::text, unblended_cost, line_items FROM analytics.cost_by_period"
            )
            [(period, cost, lines)] = cursor.fetchall()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS analytics CASCADE")
    assert (period, float(cost), lines) == ("2026-03-01", 6000.1, 60_001)
