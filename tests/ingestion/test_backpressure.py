"""No space, no writes, no session to spare, no memory: the load is tried later, and nothing is lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pyarrow as pa
import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from billing.layouts import layout_digest
from billing.models import ColumnLayout
from ingestion import tasks
from ingestion.database_errors import DatabaseFull, DatabaseReadOnly
from ingestion.errors import DatabaseUnavailable
from ingestion.layouts.families import Family
from ingestion.models import Export, LoadAttempt, ReceiptChain, SourceFile
from ingestion.pipeline import run
from ingestion.reruns import reprocess, retry
from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.processes import python
from tests.read_only import read_only_database
from tests.roles import login, roles_set_up
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/file.csv.gz"
LOAD = """
import os
from ingestion.pipeline import run
from ingestion.errors import IngestionError
{before}
try:
    attempt = run.load({file}, "test")
    print(attempt.outcome, attempt.error_code, flush=True)
except IngestionError as error:
    print("raised", error.code, error, flush=True)
"""
# So much more than the process has written already.
LIMIT = """
import re, resource
written = int(re.search(r"VmData:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (written + {more}, written + {more}))
"""


@pytest.fixture
def file(client_under_test: ClientUnderTest) -> SourceFile:
    client_under_test.account.put_object(KEY, csv_gz("a,b\n1,2\n"))
    client_under_test.discover()
    return client_under_test.file(KEY)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def told_by(code: str, user: dict[str, str] | None = None) -> str:
    with python(code, user) as process:
        out, _ = process.communicate(timeout=120)
    return out.strip()


def assert_loads_now(client: ClientUnderTest, file: SourceFile) -> None:
    retry(SourceFile.objects.filter(pk=file.pk))
    attempt = run.load(file.pk, "test")
    assert attempt
    assert attempt.outcome == "SUCCEEDED"
    assert client.rows(file.key)


@contextmanager
def no_space_in(table: str, doing: str = "INSERT", times: int = 1000) -> Iterator[None]:
    """The server answers as it does on a full disk: a disk of the test's own would need root."""
    execute("CREATE SEQUENCE refusals")  # a rollback does not count it back
    execute(
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF nextval('refusals') > {times} THEN RETURN NEW; END IF;"
        " RAISE EXCEPTION 'could not extend file \"base/1\": No space left on device'"
        " USING ERRCODE = 'disk_full'; END $$"
    )
    execute(f"CREATE TRIGGER no_space BEFORE {doing} ON {table} FOR EACH ROW EXECUTE FUNCTION no_space()")
    try:
        yield
    finally:
        execute("DROP FUNCTION no_space() CASCADE")
        execute("DROP SEQUENCE refusals")


def test_a_full_disk_fails_the_load_for_now_and_says_so(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with no_space_in(f"billing_rawrow_{file.connection_id}"):
        attempt = run.load(file.pk, "test")
    assert attempt
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "database_full")
    assert "No space left on device" in attempt.error_message
    file.refresh_from_db()
    assert (file.status, file.error_code) == ("FAILED", "database_full")
    assert file.next_retry_at is not None
    assert client_under_test.rows(KEY) == []
    assert_loads_now(client_under_test, file)


@pytest.mark.parametrize("table", ["ingestion_receipt", "billing_columnlayout"])
def test_what_goes_wrong_after_the_rows_is_told_by_the_attempt(
    client_under_test: ClientUnderTest, file: SourceFile, table: str
) -> None:
    with no_space_in(table):
        attempt = run.load(file.pk, "test")
    assert attempt
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "database_full")
    file.refresh_from_db()
    assert (file.status, file.failures, file.row_count) == ("FAILED", 1, None)
    assert file.next_retry_at is not None
    assert client_under_test.rows(KEY) == []
    assert_loads_now(client_under_test, file)


def test_what_goes_wrong_after_the_rows_of_a_reload_leaves_the_old_ones(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    assert_loads_now(client_under_test, file)
    before = SourceFile.objects.get(pk=file.pk)
    assert reprocess(SourceFile.objects.filter(pk=file.pk))
    with no_space_in("ingestion_receipt"):
        attempt = run.load(file.pk, "test")
    assert attempt
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "database_full")
    file.refresh_from_db()
    assert (file.status, file.ingested_at) == ("INGESTED", before.ingested_at)
    assert client_under_test.rows(KEY) == [["1", "2"]]


def test_a_failure_that_the_load_itself_cannot_record_is_recorded_after_it(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with no_space_in("ingestion_sourcefile", "UPDATE", times=2):
        attempt = run.load(file.pk, "test")
    assert attempt
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "database_full")
    assert attempt.ended_at is not None
    file.refresh_from_db()
    assert (file.status, file.error_code, file.failures) == ("FAILED", "database_full", 1)
    assert client_under_test.rows(KEY) == []
    assert_loads_now(client_under_test, file)


def test_a_failure_that_cannot_be_recorded_at_all_is_raised_and_closed_by_the_sweep(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with no_space_in("ingestion_sourcefile", "UPDATE"), pytest.raises(DatabaseFull, match="No space left"):
        run.load(file.pk, "test")
    attempt = LoadAttempt.objects.get()
    assert attempt.outcome == "RUNNING"
    tasks.sweep()
    attempt.refresh_from_db()
    assert (attempt.outcome, attempt.error_code) == ("CRASHED", "worker_crashed")
    assert "could not write down how the load ended" in attempt.error_message
    assert_loads_now(client_under_test, file)


def test_an_attempt_that_cannot_be_begun_leaves_the_file_as_it_was(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with no_space_in("ingestion_loadattempt"), pytest.raises(DatabaseFull, match="No space left"):
        run.load(file.pk, "test")
    assert not LoadAttempt.objects.exists()
    file.refresh_from_db()
    assert (file.status, file.failures) == ("NEW", 0)
    assert_loads_now(client_under_test, file)


def test_a_database_that_takes_no_writes_records_nothing_and_loses_nothing(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with read_only_database(), pytest.raises(DatabaseReadOnly):
        run.load(file.pk, "test")
    assert not LoadAttempt.objects.exists()
    assert_loads_now(client_under_test, file)


def test_a_server_without_a_session_to_spare_leaves_the_file_as_it_was(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with roles_set_up() as roles:
        execute(f'ALTER ROLE "{roles.loader}" CONNECTION LIMIT 1')
        told = told_by(LOAD.format(before="", file=file.pk), login(roles.loader))
        assert told.startswith(f"raised {DatabaseUnavailable.code} ")
        assert "too many connections" in told
        file.refresh_from_db()
        assert file.status == "NEW"
        execute(f'ALTER ROLE "{roles.loader}" CONNECTION LIMIT -1')
        assert told_by(LOAD.format(before="", file=file.pk), login(roles.loader)) == "SUCCEEDED"
    assert client_under_test.rows(KEY) == [["1", "2"]]


def test_a_grant_that_is_missing_is_the_operators_to_give_and_no_fault_of_the_file(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with roles_set_up() as roles:
        execute(f'REVOKE INSERT ON billing_rawrow_{file.connection_id} FROM "{roles.loader}"')
        told = told_by(LOAD.format(before="", file=file.pk), login(roles.loader))
        assert told == "FAILED database_not_ready"
        file.refresh_from_db()
        assert (file.status, file.error_code) == ("FAILED", "database_not_ready")
        assert "permission denied" in file.error_message
        assert "database_roles" in file.next_action
        assert file.next_retry_at is not None
    assert_loads_now(client_under_test, file)


def test_a_partition_that_is_missing_is_no_fault_of_the_file(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    table = f"billing_rawrow_{file.connection_id}"
    execute(f"ALTER TABLE {table} RENAME TO away")
    attempt = run.load(file.pk, "test")
    assert attempt
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "database_not_ready")
    execute(f"ALTER TABLE away RENAME TO {table}")
    assert_loads_now(client_under_test, file)


def test_a_worker_out_of_memory_fails_the_load_for_now_and_lives(client_under_test: ClientUnderTest) -> None:
    values = [str(number) * 4_000_000 for number in range(10)]
    table = pa.table(dict.fromkeys("abc", values))
    client_under_test.account.put_object("exports/large.parquet", parquet(table))
    client_under_test.discover()
    file = client_under_test.file("exports/large.parquet")
    told = told_by(LOAD.format(before=LIMIT.format(more=50 * 2**20), file=file.pk))
    assert told == "FAILED out_of_memory", "the process goes on, and can say what happened"
    file.refresh_from_db()
    assert (file.status, file.error_code) == ("FAILED", "out_of_memory")
    assert file.next_retry_at is not None
    assert client_under_test.rows(file.key) == []
    assert_loads_now(client_under_test, file)


def test_a_dead_database_is_waited_for_by_the_sweep_too(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with read_only_database(), pytest.raises(Exception, match="read-only"):
        tasks.sweep()
    tasks.sweep()
    until(lambda: SourceFile.objects.filter(queued_at__isnull=False).exists(), "the file is queued")


def the_last_receipt(file: SourceFile) -> None:
    head = ReceiptChain.objects.create(connection_id=file.connection_id)
    ReceiptChain.objects.using("progress").select_for_update().get(pk=head.pk)


def the_same_new_layout(_file: SourceFile) -> None:
    names, types = ["a", "b"], ["string", "string"]
    layout = ColumnLayout(digest=layout_digest(names, types), names=names, types=types)
    layout.save(using="progress")


def the_export(file: SourceFile) -> None:
    assert Export.objects.using("progress").filter(pk=file.export_id).update(family=Family.UNKNOWN)


@contextmanager
def a_commit_that_hangs(write: Callable[[SourceFile], None], file: SourceFile) -> Iterator[None]:
    """Another session has written what a load writes, too, and commits once it is waited for long."""
    held = Event()

    def hold() -> None:
        try:
            with transaction.atomic(using="progress"), connections["progress"].cursor() as cursor:
                write(file)
                held.set()
                until(lambda: waited_for(cursor), "a load waits for it")
        finally:
            connections.close_all()

    thread = Thread(target=hold)
    thread.start()
    assert held.wait(60)
    yield
    thread.join()


def waited_for(cursor: Any) -> bool:
    """Somebody waits for a lock, for five times as long as a session of this test may."""
    cursor.execute(
        "SELECT FROM pg_locks WHERE NOT granted AND waitstart < clock_timestamp() - interval '500ms'"
    )
    return bool(cursor.fetchone() is not None)


@pytest.mark.parametrize("write", [the_last_receipt, the_same_new_layout, the_export])
def test_a_slow_commit_elsewhere_does_not_cost_the_rows_of_a_load(
    client_under_test: ClientUnderTest, file: SourceFile, write: Callable[[SourceFile], None]
) -> None:
    execute("SET lock_timeout = '100ms'")
    try:
        with a_commit_that_hangs(write, file):
            attempt = run.load(file.pk, "test")
    finally:
        execute("RESET lock_timeout")
    assert attempt
    assert (attempt.outcome, attempt.error_message) == ("SUCCEEDED", "")
    assert client_under_test.rows(KEY) == [["1", "2"]]


def test_the_view_is_entered_before_the_receipt_whose_lock_is_the_last(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert_loads_now(client_under_test, file)
    statements = [query["sql"] for query in asked]
    view = next(n for n, sql in enumerate(statements) if "ingestion_enter_layout" in sql)
    head = next(n for n, sql in enumerate(statements) if "ingestion_receiptchain" in sql)
    assert view < head


def test_the_servers_own_timeouts_do_not_end_a_load(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    def slowly(_rows: int, _bytes: int) -> None:
        with connections["progress"].cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SELECT pg_sleep(0.5)")

    execute("SET statement_timeout = '200ms'")
    try:
        attempt = run.load(file.pk, "test", slowly)
    finally:
        execute("RESET statement_timeout")
    assert attempt
    assert attempt.outcome == "SUCCEEDED"
    assert client_under_test.rows(KEY) == [["1", "2"]]
