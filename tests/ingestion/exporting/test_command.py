"""`manage.py export`: whole files under their names or none, never over another, and a receipt."""

import gzip
import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command

from ingestion.exporting import snapshot
from ingestion.exporting.target import TargetExists, written
from ingestion.models import Delivery, Export
from kcx.simulated_aws.deliveries import BillingService
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.deliveries.test_by_manifest import CREATE_NEW, MARCH, NOON, part
from tests.ingestion.test_verify import tamper

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/one.csv.gz"


@pytest.fixture
def loaded(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """One file of three rows, ingested and published."""
    client_under_test.account.put_object(KEY, csv_gz("a,b\n1,2\n3,\n5,6\n"))
    client_under_test.ingest()
    return client_under_test


def status(*arguments: object) -> tuple[int, str]:
    """The exit status, and what is told."""
    try:
        call_command("export", *map(str, arguments))
    except CommandError as error:
        return error.returncode, str(error)
    return 0, ""


def test_a_file_is_written_with_its_receipt(loaded: ClientUnderTest, tmp_path: Path) -> None:
    target = tmp_path / "one.csv"
    file = loaded.file(KEY)
    assert status("--file", file.pk, "--format", "csv", "--output", target) == (0, "")
    assert target.read_bytes() == b"a,b\n1,2\n3,\n5,6\n"
    receipt = json.loads((tmp_path / "one.csv.receipt.json").read_bytes())
    assert receipt["sha256"] == hashlib.sha256(target.read_bytes()).hexdigest()
    assert receipt["files"][0]["rows_sha256"] == file.rows_sha256
    assert {path.name for path in tmp_path.iterdir()} == {"one.csv", "one.csv.receipt.json"}


def test_a_file_that_is_there_is_replaced_by_force_only(loaded: ClientUnderTest, tmp_path: Path) -> None:
    target, receipt = tmp_path / "one.csv", tmp_path / "r.json"
    arguments = ["--file", loaded.file(KEY).pk, "--format", "csv", "--output", target, "--receipt", receipt]
    for there in (target, receipt):
        there.write_bytes(b"mine")
        code, told = status(*arguments)
        assert (code, told) == (2, f"{there} is there already; --force replaces it.")
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]
        there.unlink()
    target.write_bytes(b"mine")
    assert status(*arguments, "--force") == (0, "")
    assert target.read_bytes().startswith(b"a,b\n")


def test_a_bill_that_is_written_is_its_owners_alone(loaded: ClientUnderTest, tmp_path: Path) -> None:
    target, receipt = tmp_path / "one.csv", tmp_path / "r.json"
    arguments = ["--file", loaded.file(KEY).pk, "--format", "csv", "--output", target, "--receipt", receipt]
    assert status(*arguments) == (0, "")
    assert [path.stat().st_mode & 0o777 for path in (target, receipt)] == [0o600, 0o600]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "one.csv"
    writing = written([target], force=False)
    [file] = writing.__enter__()
    file.write(b"ours")
    target.write_bytes(b"theirs")
    with pytest.raises(TargetExists):
        writing.__exit__(None, None, None)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"theirs"]


def test_what_cannot_be_exported_whole_leaves_no_file(
    loaded: ClientUnderTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BLOCK_BYTES", 1)
    tamper("DELETE FROM billing_rawrow WHERE row_number = 3")
    code, told = status("--file", loaded.file(KEY).pk, "--format", "csv", "--output", tmp_path / "one.csv")
    assert code == 1
    assert told.startswith(f"File {loaded.file(KEY).pk} has 2 rows in the database, 3 in its registry.")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(loaded: ClientUnderTest, tmp_path: Path) -> None:
    file = loaded.file(KEY).pk
    code, told = status("--file", file, "--format", "csv", "--output", tmp_path / "none" / "one.csv")
    assert code == 1
    assert told.startswith("The export could not be written: ")


def test_standard_output_gets_the_bytes_and_nothing_else(
    loaded: ClientUnderTest, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    receipt = tmp_path / "r.json"
    arguments = ["--file", loaded.file(KEY).pk, "--format", "parquet", "--output", "-"]
    assert status(*arguments, "--columns", "b", "--receipt", receipt) == (0, "")
    data = capsysbinary.readouterr().out
    assert pq.read_table(io.BytesIO(data)).to_pydict() == {"b": ["2", None, "6"]}
    assert json.loads(receipt.read_bytes())["bytes"] == len(data)


USAGE = [
    [],
    ["--file", "1", "--delivery", "1"],
    ["--connection", "1", "--export", "1"],
    ["--file", "1", "--period", "2026-03"],
    ["--file", "1", "--as-of", "2026-03-01"],
    ["--connection", "none such", "--export", "1", "--period", "2026-03"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_unclear_arguments_are_refused(arguments: list[str], transactional_db: None, tmp_path: Path) -> None:
    assert status(*arguments, "--format", "csv", "--output", tmp_path / "x")[0] == 2


def test_what_is_not_there_is_told_with_the_next_action(transactional_db: None, tmp_path: Path) -> None:
    code, told = status("--file", 7, "--format", "csv", "--output", tmp_path / "x")
    assert (code, told.split(". ")[0]) == (1, "There is no file 7")


def test_a_period_is_chosen_by_the_name_of_its_export(
    client_under_test: ClientUnderTest, tmp_path: Path
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(CREATE_NEW, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    service.deliver(CREATE_NEW, MARCH, [part("10")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    old = Delivery.objects.get(status=Delivery.Status.SUPERSEDED)
    export = Export.objects.get()
    header = b"identity/LineItemId,lineItem/v\n"
    period = ["--connection", client_under_test.connection.name, "--period", "2026-03", "--format", "csv"]
    for number, name in enumerate((export.pk, export.name, str(export))):
        target = tmp_path / f"{number}.csv"
        assert status(*period, "--export", name, "--output", target) == (0, "")
        assert target.read_bytes() == header + b"id,10\n"
    assert old.published_at
    then = ["--as-of", old.published_at.isoformat(), "--gzip", "--output", tmp_path / "old.csv.gz"]
    assert status(*period, "--export", "r", *then) == (0, "")
    assert gzip.decompress((tmp_path / "old.csv.gz").read_bytes()) == header + b"id,1\n"
    code, told = status(*period, "--export", "none such", "--output", tmp_path / "x")
    assert (code, told) == (2, f"No export is named 'none such' there; there are: {export.pk} ({export}).")
    Export.objects.create(
        connection=client_under_test.connection, root="other/", name="r", key_layout="generic"
    )
    code, told = status(*period, "--export", "r", "--output", tmp_path / "x")
    assert (code, told.split("there;")[0]) == (2, "Several exports are named 'r' ")
