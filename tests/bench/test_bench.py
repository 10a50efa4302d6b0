"""The benchmark, on a table too small to tell anything of speed: its report, and what it refuses."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from bench.database import ServerFacts
from bench.report import PEER, Report
from bench.source import Figures, refuse_wrong_load
from ingestion.models import SourceFile
from tests.builders import ClientUnderTest, csv_gz
from tests.conftest import REPOSITORY
from tests.processes import environment

ROWS = 500
JOBS = ["KCX, csv.gz", "KCX, Parquet", PEER, "S3 endpoint alone, csv.gz", "S3 endpoint alone, Parquet"]


@pytest.mark.django_db
def test_a_run_verifies_every_load_and_leaves_no_database_behind() -> None:
    command = [sys.executable, "-m", "bench", "--rows", str(ROWS), "--rounds", "1", "--json"]
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE) as run:
        told: dict[str, Any] = json.loads(run.communicate()[0])

    assert (told["rows"], told["verified"]) == (ROWS, 3)
    assert told["csv_bytes"] > told["csv_gz_bytes"] > 0
    assert told["server"]["toast"] in {"lz4", "pglz"}
    assert list(told["jobs"]) == JOBS
    for job in told["jobs"].values():
        assert job["rows_per_second"] == pytest.approx(ROWS / job["seconds"][0])
    for name in JOBS[:2]:
        assert told["jobs"][name]["peak_mb"][0] > told["jobs"][name]["idle_mb"][0] > 1
        assert told["jobs"][name]["table_mb"][0] > 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [f"kcx_bench_{run.pid}"])
        assert cursor.fetchone() == (0,)


def test_the_table_tells_medians_and_compares_each_round_with_its_own_peer() -> None:
    report = Report(1000, 10**6, 10**5, 10**5, ServerFacts("18", "128MB", "on", "lz4"))
    for own, peer in [(1.0, 0.5), (4.0, 4.0), (2.0, 1.0)]:
        report.job("KCX").add(Figures(own, cpu_seconds=1, idle_mb=80, peak_mb=250), table_bytes=5 * 10**6)
        report.job(PEER).add(Figures(peer))

    lines = [line.split() for line in report.as_text().splitlines()]

    assert ["KCX", "2.00", "500", "2.00", "1.0", "250.0", "5.0"] in lines
    assert [*PEER.split(), "1.00", "1,000", "1.00", "-", "-", "-"] in lines


def loaded_file(client: ClientUnderTest) -> SourceFile:
    """Two rows, ingested."""
    client.account.put_object("exports/lines/a.csv.gz", csv_gz("n,text\n1,a\n2,b\n"))
    client.ingest()
    return client.file("exports/lines/a.csv.gz")


@pytest.mark.django_db(transaction=True, databases=["default", "progress"])
def test_a_load_of_another_number_of_rows_is_refused(client_under_test: ClientUnderTest) -> None:
    file = loaded_file(client_under_test)

    refuse_wrong_load(file, rows=2)
    with pytest.raises(ValueError, match="2 rows were loaded of 3"):
        refuse_wrong_load(file, rows=3)


@pytest.mark.django_db(transaction=True, databases=["default", "progress"])
def test_a_load_whose_rows_are_not_those_it_wrote_down_is_refused(client_under_test: ClientUnderTest) -> None:
    file = loaded_file(client_under_test)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_rawrow VALUES (%s, %s, 3, '{3,c}')", [file.connection_id, file.pk]
        )

    with pytest.raises(ValueError, match="digest"):
        refuse_wrong_load(file, rows=2)


def test_the_page_times_are_told_for_each_page() -> None:
    command = [sys.executable, "-m", "bench.pages", "--files", "600", "--connections", "3", "--rounds", "1"]
    ended = subprocess.run(command, cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, check=True)
    head, _columns, *told = ended.stdout.decode().splitlines()
    assert head.startswith("600 files, 3 connections")
    pages = [line.split(",")[0].split("  ")[1] for line in told]
    assert pages[:4] == ["dashboard", "dashboard", "coverage calendar", "coverage calendar"]
    assert "load attempts" in pages
    assert {"receipts", "discovery runs", "exports", "its rows", "a row's passport"} <= set(pages)
    assert set(pages[-23:-1]) == {"registry"}
    assert pages[-1] == "asking why"
    for narrowed in ("page 12", "half a million files on", "failed", "one period", "largest first", "ETag"):
        assert narrowed in ended.stdout.decode()
    assert all(line.count(" ms ") == 2 for line in told)
