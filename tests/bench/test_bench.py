"""The benchmark, on a table too small to tell anything of speed: its report, and what it refuses."""

import json
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection

from bench.report import PEER
from bench.source import refuse_wrong_load
from ingestion.models import SourceFile
from tests.builders import ClientUnderTest, csv_gz
from tests.conftest import REPOSITORY
from tests.processes import environment

ROWS = 500
JOBS = ["KCX, csv.gz", "KCX, Parquet", PEER, "S3 endpoint alone, csv.gz", "S3 endpoint alone, Parquet"]


def bench(*arguments: str) -> str:
    """What `python -m bench` prints, on the server of the tests."""
    command = [sys.executable, "-m", "bench", "--rows", str(ROWS), "--rounds", "1", *arguments]
    told = subprocess.run(
        command, cwd=REPOSITORY, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    return told.stdout


@pytest.mark.django_db
def test_the_report_tells_what_was_measured_and_that_every_load_was_verified() -> None:
    told: dict[str, Any] = json.loads(bench("--json"))

    assert (told["rows"], told["verified"]) == (ROWS, 3)
    assert told["csv_bytes"] > told["csv_gz_bytes"] > 0
    assert list(told["jobs"]) == JOBS
    for job in told["jobs"].values():
        (seconds,) = job["seconds"]
        assert job["rows_per_second"] == pytest.approx(ROWS / seconds)
    for name in JOBS[:2]:
        job = told["jobs"][name]
        assert job["peak_mb"][0] > job["idle_mb"][0] > 1
        assert job["table_mb"][0] > 0
        assert job["ratio_to_peer"] == pytest.approx(job["seconds"][0] / told["jobs"][PEER]["seconds"][0])
    assert told["server"]["toast"] in {"lz4", "pglz"}


@pytest.mark.django_db
def test_the_throw_away_database_is_gone_afterwards() -> None:
    bench()

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname = 'kcx_bench'")
        assert cursor.fetchone() == (0,)


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
