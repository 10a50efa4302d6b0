"""`verify`: every kind of tampering is found and told, and what is untouched is equal."""

import json
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
from django.db import connection, connections, transaction

from ingestion.models import Delivery, Receipt, SourceFile, Verification
from ingestion.pipeline import run
from ingestion.receipts import chained
from ingestion.reruns import reprocess
from ingestion.verification.report import Report
from ingestion.verification.verify import verify_file
from tests.billing.raw_rows import second_session
from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.faulty_s3 import Answer, FaultyAws, Wire, untouched
from tests.ingestion.verifying import head_of, tamper, told, verify
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY, OTHER = "exports/lines/one.csv.gz", "exports/lines/two.csv.gz"
BODY = csv_gz('a,b\n1,2\n3,\n5,""\n')


@pytest.fixture
def loaded(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """Two files, ingested and published: four receipts; and one that is skipped."""
    client_under_test.account.put_object("exports/lines/notes.pdf", b"nothing")
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.account.put_object(OTHER, csv_gz("a\nx\n"))
    client_under_test.ingest()
    return client_under_test


def test_what_is_untouched_is_equal_and_that_is_kept(loaded: ClientUnderTest) -> None:
    assert verify(loaded) == (0, set(), "")
    assert verify(loaded, "--against-s3", "--head", head_of(loaded)) == (0, set(), "")
    assert Verification.objects.filter(outcome="EQUAL").count() == 6
    assert Verification.objects.filter(against_s3=True, source_file__isnull=False).count() == 2


FORGET_LOAD = (
    "UPDATE ingestion_sourcefile SET status = 'NEW', ingested_at = NULL, layout_id = NULL,"
    " row_count = NULL, rows_sha256 = ''"
)
FIRST, LAST = (
    f"(SELECT {which}(id) FROM ingestion_sourcefile WHERE row_count > 0)" for which in ("min", "max")
)
SKIPPED = "FROM ingestion_sourcefile WHERE status = 'SKIPPED'"
TAMPERINGS = {
    "a cell": (
        "UPDATE billing_rawrow SET values[2] = '20' WHERE row_number = 1 AND cardinality(values) = 2",
        {"rows_sha256"},
        "Digest of the rows stored",
    ),
    "an empty string for NULL": (
        "UPDATE billing_rawrow SET values[2] = '' WHERE row_number = 2",
        {"rows_sha256"},
        "Digest of the rows stored",
    ),
    "a row": (
        "DELETE FROM billing_rawrow WHERE row_number = 3",
        {"row_count", "rows_sha256"},
        "Rows stored: 3 expected, 2 found.",
    ),
    "a digest in the registry": (
        f"UPDATE ingestion_sourcefile SET rows_sha256 = '{'f' * 64}' WHERE row_count = 3",
        {"rows_sha256", "registry"},
        "rows_sha256 of file",
    ),
    "a size in the registry": (
        "UPDATE ingestion_sourcefile SET size = size + 1 WHERE row_count = 3",
        {"registry"},
        "size of file",
    ),
    "the name of a column": (
        "UPDATE billing_columnlayout SET names = '{a,c}' WHERE names = '{a,b}'",
        {"layout"},
        "Digest of the column names and types",
    ),
    "a file's status": (
        f"{FORGET_LOAD} WHERE row_count = 3",
        {"registry", "rows_of_no_load"},
        "Rows of a file that is NEW: 0 expected, 3 found.",
    ),
    "when a delivery was published": (
        "UPDATE ingestion_delivery SET published_at = published_at - interval '1 day'",
        {"registry"},
        "published_at of delivery",
    ),
    "of which billing period a file is": (
        "UPDATE ingestion_sourcefile SET billing_period_start = '2020-01-01', billing_period_end = NULL",
        {"registry"},
        "billing_period of file",
    ),
    "that a delivery is current": (
        "UPDATE ingestion_delivery SET status = 'SUPERSEDED', superseded_at = now()",
        {"registry"},
        "status of delivery",
    ),
    "that a delivery was published": (
        "UPDATE ingestion_delivery SET published_at = NULL, status = 'SUPERSEDED', superseded_at = now()",
        {"registry"},
        "published_at of delivery",
    ),
    "a receipt's text": (
        "UPDATE ingestion_receipt SET body = replace(body, 'rows\":3', 'rows\":4') WHERE body ~ 'rows\":3'",
        {"receipt_hash", "registry"},
        "Hash of receipt",
    ),
    "a receipt's text that is no JSON any more": (
        "UPDATE ingestion_receipt SET body = 'gone' WHERE sequence = 1",
        {"receipt_hash", "receipt", "registry"},
        "Hash of receipt 1",
    ),
    "the last receipt": (
        "DELETE FROM ingestion_receipt WHERE sequence = 4",
        {"head", "no_receipt"},
        "The chain's last receipt",
    ),
    "a receipt in the middle": (
        "DELETE FROM ingestion_receipt WHERE sequence = 2",
        {"gap", "link", "no_receipt"},
        "Receipt 3 follows receipt 1: some are missing.",
    ),
    "the numbers of receipts": (
        "UPDATE ingestion_receipt SET sequence = sequence + 1 WHERE sequence = 4",
        {"gap", "receipt", "head"},
        "sequence of receipt 5: 4 expected, 5 found.",
    ),
    "the file a receipt is of": (
        f"UPDATE ingestion_receipt SET source_file_id = {LAST} WHERE source_file_id = {FIRST}",
        {"receipt", "no_receipt"},
        "source_file_id of receipt",
    ),
    "rows of a file that is not registered": (
        "INSERT INTO billing_rawrow SELECT connection_id, 999999, 1, '{x}' FROM ingestion_sourcefile LIMIT 1",
        {"rows_of_no_load"},
        "Rows of file 999999 are stored, but it is not registered.",
    ),
    "rows of a file that was never loaded": (
        f"INSERT INTO billing_rawrow SELECT connection_id, id, 1, '{{x}}' {SKIPPED}",
        {"rows_of_no_load"},
        "are stored, but it is UNKNOWN.",
    ),
    "when a load was tried": (
        "UPDATE ingestion_loadattempt SET started_at = started_at - interval '1 day'",
        {"registry"},
        "attempts of file",
    ),
    "that a load was tried": (
        f"DELETE FROM ingestion_loadattempt WHERE source_file_id = {FIRST}",
        {"registry"},
        "attempts of file",
    ),
    "a delivery's file": (
        f"DELETE FROM ingestion_deliveryfile WHERE source_file_id = {FIRST}",
        {"registry"},
        "Files of delivery",
    ),
}


@pytest.mark.parametrize(("statement", "kinds", "sentence"), list(TAMPERINGS.values()), ids=list(TAMPERINGS))
def test_tampering_is_found(loaded: ClientUnderTest, statement: str, kinds: set[str], sentence: str) -> None:
    tamper(statement)
    status, found, sentences = verify(loaded)
    assert (status, found) == (1, kinds)
    assert sentence in sentences
    assert Verification.objects.filter(outcome="DIFFERENT").exists(), "it stays visible"


def test_an_older_delivery_made_current_again_is_found(loaded: ClientUnderTest) -> None:
    loaded.account.put_object(KEY, csv_gz("a,b\n7,8\n"))
    loaded.ingest()
    assert verify(loaded) == (0, set(), ""), "a delivery that was replaced is no difference"
    older = Delivery.objects.get(status="SUPERSEDED")
    newer = Delivery.objects.get(status="CURRENT", scope=older.scope_id)
    tamper(
        f"UPDATE ingestion_delivery SET status = 'SUPERSEDED', superseded_at = now() WHERE id = {newer.pk}",
        f"UPDATE ingestion_delivery SET status = 'CURRENT', superseded_at = NULL WHERE id = {older.pk}",
    )
    status, kinds, sentences = verify(loaded)
    assert (status, kinds) == (1, {"registry"})
    assert f"status of delivery {older.pk}: 'SUPERSEDED' expected, 'CURRENT' found." in sentences
    assert f"status of delivery {newer.pk}: 'CURRENT' expected, 'SUPERSEDED' found." in sentences


def test_a_delivery_said_to_have_ended_at_another_time_is_found(loaded: ClientUnderTest) -> None:
    loaded.account.put_object(KEY, csv_gz("a,b\n7,8\n"))
    loaded.ingest()
    tamper(
        "UPDATE ingestion_delivery SET superseded_at = superseded_at + interval '1 day'"
        " WHERE status = 'SUPERSEDED'"
    )
    status, kinds, sentences = verify(loaded)
    assert (status, kinds) == (1, {"registry"})
    assert "superseded_at of delivery" in sentences


def test_a_file_that_is_gone_with_its_delivery_is_told_by_its_receipts(loaded: ClientUnderTest) -> None:
    file, kept = loaded.file(OTHER).pk, loaded.file(KEY).pk
    tamper(
        f"DELETE FROM ingestion_deliveryfile WHERE source_file_id = {file}",
        f"UPDATE ingestion_loadattempt SET source_file_id = {kept} WHERE source_file_id = {file}",
        f"DELETE FROM ingestion_sourcefile WHERE id = {file}",
    )
    status, kinds, sentences = verify(loaded)
    assert status == 1
    assert "gone" in kinds
    assert f"is of file {file}, which is gone." in sentences


def rewrite_chain(client: ClientUnderTest) -> None:
    """A chain that is right in itself, in which one receipt says something else."""
    before, statements = "0" * 64, []
    for receipt in Receipt.objects.filter(connection=client.connection).order_by("sequence"):
        body = receipt.body.replace('"parser":"pyarrow', '"parser":"another')
        after = chained(before, body)
        quoted = body.replace("'", "''")
        statements.append(
            f"UPDATE ingestion_receipt SET body = '{quoted}', previous_sha256 = '{before}',"
            f" sha256 = '{after}' WHERE id = {receipt.pk}"
        )
        before = after
    tamper(*statements, f"UPDATE ingestion_receiptchain SET sha256 = '{before}'")


def test_a_chain_rewritten_as_a_whole_shows_by_a_head_exported_earlier(loaded: ClientUnderTest) -> None:
    exported = head_of(loaded)
    rewrite_chain(loaded)
    assert verify(loaded)[0] == 0, "it is right in itself"
    status, kinds, sentences = verify(loaded, "--head", exported)
    assert (status, kinds) == (1, {"exported_head"})
    assert "Receipt 4 as exported" in sentences


def test_a_chain_cut_short_with_its_head_shows_by_a_head_exported_earlier(loaded: ClientUnderTest) -> None:
    exported = head_of(loaded)
    third = Receipt.objects.get(sequence=3).sha256
    tamper(
        "DELETE FROM ingestion_receipt WHERE sequence = 4",
        f"UPDATE ingestion_receiptchain SET sequence = 3, sha256 = '{third}'",
    )
    assert "exported_head" in verify(loaded, "--head", exported)[1]


def test_an_older_head_is_found_in_a_chain_that_has_grown(loaded: ClientUnderTest) -> None:
    exported = head_of(loaded)
    reprocess(SourceFile.objects.all())
    loaded.load_all()
    assert head_of(loaded) != exported
    assert verify(loaded, "--head", exported) == (0, set(), "")


def test_against_s3_the_cells_that_differ_are_told_by_row_and_column(loaded: ClientUnderTest) -> None:
    tamper(
        "UPDATE billing_rawrow SET values[2] = '20' WHERE row_number = 1 AND cardinality(values) = 2",
        "UPDATE billing_rawrow SET values[2] = NULL WHERE row_number = 3",
        "UPDATE billing_rawrow SET row_number = 9 WHERE row_number = 2",
    )
    status, kinds, sentences = verify(loaded, "--against-s3")
    assert (status, kinds) == (1, {"rows_sha256", "cell", "row_missing", "row_extra"})
    assert "Row 1, column 'b': '20' stored, '2' in the file." in sentences
    assert "Row 3, column 'b': NULL stored, '' in the file." in sentences
    assert "Row 2 is not stored." in sentences
    assert "Row 9 is stored, the file does not have it." in sentences


def test_rows_of_another_width_are_told_as_such(loaded: ClientUnderTest) -> None:
    tamper("UPDATE billing_rawrow SET values = '{1}' WHERE row_number = 1 AND cardinality(values) = 2")
    assert "Row 1 is stored with 1 cells, the file has 2." in verify(loaded, "--against-s3")[2]


def test_of_very_many_differences_the_first_are_told_and_all_are_counted(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n" + "x\n" * 5000))
    client_under_test.ingest()
    tamper("UPDATE billing_rawrow SET values = '{y}'")
    status, text = told("verify", "--file", str(client_under_test.file(KEY).pk), "--against-s3")
    assert status == 1
    assert text.count("'y' stored, 'x' in the file.") == 19, "and the digest before them"
    assert "and 4,981 more" in text


def test_an_object_that_was_replaced_cannot_be_compared_and_is_no_difference(loaded: ClientUnderTest) -> None:
    loaded.account.put_object(KEY, csv_gz("a,b\n7,8\n"))
    status, text = told("verify", "--file", str(loaded.file(KEY).pk), "--against-s3")
    assert status == 3
    assert "Could not be compared: object_changed" in text
    assert verify(loaded) == (0, set(), ""), "without the bucket all is equal"


def test_an_object_with_the_same_etag_and_other_bytes_differs(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, BODY, etag="e" * 32)
    client_under_test.ingest()
    other = csv_gz('a,B\n1,9\n3,\n5,""\n')
    client_under_test.account.put_object(KEY, other, etag="e" * 32)
    SourceFile.objects.update(size=len(other))
    _, kinds, sentences = verify(client_under_test, "--against-s3")
    assert {"cell", "columns", "object_sha256"} <= kinds
    assert "Row 1, column 'B': '2' stored, '9' in the file." in sentences


def test_parquet_is_equal_too(client_under_test: ClientUnderTest) -> None:
    table = pa.table({"n": [1, None, 3], "x": ["", None, "ä\n'"], "d": [0.1, 1e300, None]})
    client_under_test.account.put_object("exports/lines/one.parquet", parquet(table))
    client_under_test.ingest()
    assert verify(client_under_test, "--against-s3") == (0, set(), "")
    tamper("UPDATE billing_rawrow SET values[3] = '0.10' WHERE row_number = 1")
    assert "column 'd': '0.10' stored, '0.1' in the file" in verify(client_under_test, "--against-s3")[2]


def in_a_thread(work: Callable[[], Report], reports: list[Report]) -> Thread:
    def target() -> None:
        try:
            reports.append(work())
        finally:
            connections.close_all()

    thread = Thread(target=target)
    thread.start()
    return thread


def waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_reload_in_the_middle_of_a_verification_is_no_false_alarm(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, BODY, etag="e" * 32)
    client_under_test.ingest()
    file = client_under_test.file(KEY)
    other = csv_gz("a,b\nother,rows\n")
    client_under_test.account.put_object(KEY, other, etag="e" * 32)
    reprocess(SourceFile.objects.filter(pk=file.pk))
    reports: list[Report] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE billing_rawrow_{file.connection_id} IN ACCESS EXCLUSIVE MODE")
        SourceFile.objects.filter(pk=file.pk).update(size=len(other))
        thread = in_a_thread(lambda: verify_file(file.pk, "test"), reports)
        until(waiting_for_a_lock, "the verification has read the registry and waits for the rows")
        attempt = run.load(file.pk, "test")
        assert attempt
        assert attempt.outcome == "SUCCEEDED"
    thread.join()
    file.refresh_from_db()
    assert file.row_count == 1
    (report,) = reports
    assert (report.rows, report.told) == (3, []), "it saw the rows and the registry of before"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--file", "1", "--connection", "1"],
        ["--file", "999999"],
        ["--connection", "nobody"],
        ["--file", "1", "--period", "2026-03"],
        ["--file", "1", "--head", f"1:{'0' * 64}"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(db: None, arguments: list[str]) -> None:
    assert told("verify", *arguments)[0] == 2


def test_receipts_are_printed_as_lines_whose_hashes_can_be_checked(loaded: ClientUnderTest) -> None:
    status, text = told("receipts", "--connection", str(loaded.connection.pk))
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert (status, [line["sequence"] for line in lines]) == (0, [1, 2, 3, 4])
    before = "0" * 64
    for line in lines:
        assert line["previous_sha256"] == before
        before = chained(before, line["body"])
        assert line["sha256"] == before
    of_file = told("receipts", "--connection", str(loaded.connection.pk), "--file", str(loaded.file(KEY).pk))
    assert [json.loads(line)["kind"] for line in of_file[1].splitlines()] == ["FILE"]
    assert told("receipts", "--head") == told("receipts", "--connection", str(loaded.connection.pk), "--head")
    assert told("receipts")[0] == 2


@pytest.fixture
def impatient_server() -> Iterator[None]:
    """A server that ends what takes longer than a tenth of a second, unless it is told not to."""
    name = connection.settings_dict["NAME"]
    with connection.cursor() as cursor:
        for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f'ALTER DATABASE "{name}" SET {setting} = 100')
    connections.close_all()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for setting in ("statement_timeout", "idle_in_transaction_session_timeout"):
                cursor.execute(f'ALTER DATABASE "{name}" RESET {setting}')
        connections.close_all()


def slowly(wire: Wire, answer: Answer) -> None:
    wire.pause(0.5)
    untouched(wire, answer)


def test_a_comparison_with_a_slow_bucket_outlives_the_servers_own_patience(
    loaded: ClientUnderTest, wire: FaultyAws, impatient_server: None
) -> None:
    wire.ever["GetObject"] = slowly
    report = verify_file(loaded.file(KEY).pk, "test", against_s3=True)
    assert (report.outcome, report.not_compared) == ("EQUAL", [])


def test_a_comparison_whose_session_ends_is_kept_as_none(loaded: ClientUnderTest, wire: FaultyAws) -> None:
    def ends_the_session(wire: Wire, answer: Answer) -> None:
        with second_session(autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'idle in transaction'"
            )
        untouched(wire, answer)

    wire.ever["GetObject"] = ends_the_session
    report = verify_file(loaded.file(KEY).pk, "test", against_s3=True)
    assert report.outcome == "NOT_COMPARED"
    kept = Verification.objects.get()
    assert kept.outcome == "NOT_COMPARED"
    assert "PostgreSQL ended the comparison" in kept.report["not_compared"][0]
