"""Receipts: one for every load and every publishing, chained, complete and append-only."""

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from ingestion.models import Delivery, LoadAttempt, Receipt, ReceiptChain, SourceFile
from ingestion.pipeline import run
from ingestion.reruns import reprocess
from tests.builders import ClientUnderTest, csv_gz
from tests.processes import python
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY, OTHER = "exports/lines/one.csv.gz", "exports/lines/two.csv.gz"
BODY = csv_gz("a,b\n1,2\n3,\n")


def receipts(client: ClientUnderTest, kind: str = "FILE") -> list[Receipt]:
    return list(Receipt.objects.filter(connection=client.connection, kind=kind).order_by("sequence"))


def chain(client: ClientUnderTest) -> list[tuple[int, str, str]]:
    links = Receipt.objects.filter(connection=client.connection).order_by("sequence")
    return list(links.values_list("sequence", "previous_sha256", "sha256"))


def assert_chained(client: ClientUnderTest) -> None:
    """Every receipt carries the hash of the one before; hashed here by hand."""
    before = "0" * 64
    for number, receipt in enumerate(
        Receipt.objects.filter(connection=client.connection).order_by("sequence"), 1
    ):
        assert (receipt.sequence, receipt.previous_sha256) == (number, before)
        before = hashlib.sha256(before.encode() + b"\n" + receipt.body.encode()).hexdigest()
        assert receipt.sha256 == before
    head = ReceiptChain.objects.get(connection=client.connection)
    assert (head.sequence, head.sha256) == (number, before)


def as_written(moment: Any) -> str:
    return str(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def test_a_load_leaves_a_receipt_that_says_all_of_it(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, BODY)
    (attempt,) = client_under_test.ingest()
    file = client_under_test.file(KEY)
    (receipt,) = receipts(client_under_test)
    body = json.loads(receipt.body)
    assert body == {
        "connection_id": client_under_test.connection.pk,
        "kind": "FILE",
        "sequence": 1,
        "created_at": as_written(receipt.created_at),
        "source_file_id": file.pk,
        "bucket": client_under_test.account.bucket,
        "export_id": file.export_id,
        "billing_period": None,
        "key": KEY,
        "etag": file.etag,
        "size": len(BODY),
        "last_modified": as_written(file.last_modified),
        "first_seen_at": as_written(file.first_seen_at),
        "ingested_at": as_written(file.ingested_at),
        "object_sha256": hashlib.sha256(BODY).hexdigest(),
        "decoded_bytes": len("a,b\n1,2\n3,\n"),
        "rows": 2,
        "rows_sha256": file.rows_sha256,
        "layout": {
            "columns": 2,
            "sha256": hashlib.sha256(b'[["a","b"],["string","string"]]').hexdigest(),
        },
        "parser": body["parser"],
        "blank_lines": 0,
        "lone_returns": 0,
        "repeated_names": [],
        "attempts": [
            {
                "number": 1,
                "id": attempt.pk,
                "outcome": "SUCCEEDED",
                "started_at": as_written(attempt.started_at),
                "ended_at": as_written(attempt.ended_at),
            }
        ],
    }
    assert body["parser"].startswith("pyarrow ")
    assert receipt.body == json.dumps(body, sort_keys=True, separators=(",", ":")), "one text only"


def test_a_delivery_that_becomes_current_leaves_a_receipt_with_its_files(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.ingest()
    file, delivery = client_under_test.file(KEY), Delivery.objects.get()
    (of_file,), (receipt,) = receipts(client_under_test), receipts(client_under_test, "DELIVERY")
    body = json.loads(receipt.body)
    assert (receipt.delivery, receipt.sequence) == (delivery, 2)
    assert body["delivery_id"] == delivery.pk
    assert body["snapshot_id"] == delivery.snapshot_id
    assert body["published_at"] == as_written(delivery.published_at)
    assert body["delivered_at"] == as_written(delivery.delivered_at)
    assert body["files"] == [
        {
            "id": file.pk,
            "key": KEY,
            "etag": file.etag,
            "size": len(BODY),
            "row_count": 2,
            "rows_sha256": file.rows_sha256,
            "receipt": of_file.sequence,
        }
    ]
    assert_chained(client_under_test)


def test_a_reload_leaves_a_receipt_of_its_own_that_lists_both_tries(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.ingest()
    reprocess(SourceFile.objects.all())
    client_under_test.load_all()
    first, second = receipts(client_under_test)
    assert [attempt["number"] for attempt in json.loads(second.body)["attempts"]] == [1, 2]
    assert json.loads(first.body)["rows_sha256"] == json.loads(second.body)["rows_sha256"]
    assert_chained(client_under_test)


def test_a_load_that_fails_leaves_none_and_the_next_receipt_tells_of_it(
    client_under_test: ClientUnderTest,
) -> None:
    role = client_under_test.account
    role.put_object(KEY, BODY[:-5], etag="e" * 32)
    client_under_test.ingest()
    assert chain(client_under_test) == []
    role.put_object(KEY, BODY, etag="e" * 32)
    SourceFile.objects.update(size=len(BODY))
    reprocess(SourceFile.objects.all())
    client_under_test.load_all()
    (receipt,) = receipts(client_under_test)
    outcomes = [attempt["outcome"] for attempt in json.loads(receipt.body)["attempts"]]
    assert outcomes == ["FAILED", "SUCCEEDED"]


STOP_BEFORE_COMMIT = """
import time
from django.db import transaction
from ingestion.models import Receipt
from ingestion.pipeline import run
with transaction.atomic():
    run.load({file}, "victim")
    print(Receipt.objects.count(), "written", flush=True)
    time.sleep(600)
"""


def test_a_worker_killed_before_its_commit_leaves_none(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.discover()
    file = client_under_test.file(KEY)
    with python(STOP_BEFORE_COMMIT.format(file=file.pk)) as victim:
        assert victim.stdout
        assert victim.stdout.readline() == "2 written\n"
        os.kill(victim.pid, signal.SIGKILL)
        victim.wait()
    assert chain(client_under_test) == []
    until(lambda: run.load(file.pk, "test"), "the dead worker's lock is free")
    assert_chained(client_under_test)
    assert len(chain(client_under_test)) == 2


LOAD_AFTER_ITS_ROWS = """
from ingestion.pipeline import run
waited = []
def report(rows, bytes_read):
    if rows and not waited:
        waited.append(True)
        print("rows sent", flush=True)
        input()
print(run.load({file}, "racer", report).outcome, flush=True)
"""


def test_two_files_of_one_connection_load_at_the_same_time_and_their_receipts_are_chained(
    client_under_test: ClientUnderTest,
) -> None:
    keys = [f"exports/lines/{number}.csv.gz" for number in range(4)]
    for key in keys:
        client_under_test.account.put_object(key, csv_gz(f"a\n{key}\n"))
    client_under_test.discover()
    with ExitStack() as stack:
        codes = [LOAD_AFTER_ITS_ROWS.format(file=client_under_test.file(key).pk) for key in keys]
        loads = [stack.enter_context(python(code)) for code in codes]
        for load in loads:
            assert load.stdout
            assert load.stdout.readline() == "rows sent\n", "none waits for another's end"
        assert LoadAttempt.objects.filter(outcome="RUNNING").count() == len(keys)
        for load in loads:
            assert load.stdin
            load.stdin.write("go\n")
            load.stdin.flush()
        told = [load.stdout.readline() for load in loads if load.stdout]
    assert told == ["SUCCEEDED\n"] * len(keys)
    assert_chained(client_under_test)
    assert len(receipts(client_under_test)) == len(keys)


@contextmanager
def with_its_truncate_guard(table: str) -> Iterator[None]:
    """As it is outside tests, which end by emptying every table."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER ingestion_no_truncate")
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ingestion_receipt SET body = body",
        "DELETE FROM ingestion_receipt",
        "TRUNCATE ingestion_receipt",
        "SET LOCAL session_replication_role = replica; DELETE FROM ingestion_receipt",
        "DELETE FROM ingestion_receiptchain",
    ],
)
def test_receipts_are_never_changed(client_under_test: ClientUnderTest, statement: str) -> None:
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.ingest()
    before = chain(client_under_test)
    with (
        with_its_truncate_guard("ingestion_receipt"),
        pytest.raises(DatabaseError, match=r"append-only|never deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert chain(client_under_test) == before
