"""One partition per connection: made beside running loads, dropped whatever interrupted the last try."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, Thread

import psycopg
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from billing.encode import RowEncoder
from billing.models import RawRow
from billing.partitions import analyze, create_partition, drop_partition
from tests.billing.raw_rows import ENOUGH, batch_of, one, payload, second_session, store
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]

INTO_7 = (
    'COPY billing_rawrow_7 (connection_id, source_file_id, row_number, "values") FROM STDIN (FORMAT binary)'
)


def partitions() -> list[str]:
    """The tables that hold raw rows: attached ones, and any that were left behind."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'billing_rawrow_%' ORDER BY 1"
        )
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def open_copy() -> Iterator[None]:
    """A load into connection 7's partition that stands in its second row; it ends with the block."""
    # The client's buffers keep back less than a row of a megabyte.
    data = payload(RowEncoder(7, 1, ENOUGH), [batch_of([["a" * ENOUGH]] * 2), batch_of([["b"]])])
    with second_session() as session:
        session.execute("SET lock_timeout = '1s'")
        with session.cursor().copy(INTO_7) as copy:
            copy.write(next(data))
            copy.write(next(data))
            _wait_until_a_row_is_copied()
            yield
            for more in data:
                copy.write(more)
        session.commit()


def _wait_until_a_row_is_copied() -> None:
    with second_session(autocommit=True) as watcher:
        reading = (
            "SELECT FROM pg_stat_progress_copy"
            f" WHERE datname = current_database() AND bytes_processed > {ENOUGH + 1000}"
        )
        until(lambda: watcher.execute(reading).fetchone() is not None, "the second row is being read")


def impatiently() -> None:
    """Make any wait for a lock an error, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '200ms'")


def test_making_a_partition_twice_makes_one() -> None:
    create_partition(7)
    store(7, 1, [["a"]])
    create_partition(7)
    assert partitions() == ["billing_rawrow_7"]
    assert RawRow.objects.count() == 1


def test_two_sessions_that_make_one_partition_at_once_both_succeed() -> None:
    together = Barrier(2, timeout=30)

    def make_some() -> None:
        try:
            for connection_id in range(1, 9):
                together.wait()
                create_partition(connection_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for made in [pool.submit(make_some) for _ in range(2)]:
            made.result()
    assert partitions() == [f"billing_rawrow_{number}" for number in range(1, 9)]


def test_a_partition_takes_the_rows_of_its_connection_only() -> None:
    create_partition(7)
    with pytest.raises(IntegrityError, match="connection_id_check"), connection.cursor() as cursor:
        cursor.execute("INSERT INTO billing_rawrow_7 VALUES (8, 1, 1, '{a}')")


def test_a_row_of_a_connection_without_a_partition_has_no_place() -> None:
    with pytest.raises(IntegrityError, match="no partition of relation"):
        RawRow.objects.create(connection_id=9, source_file_id=1, row_number=1, values=["a"])


def test_a_partition_is_made_beside_a_running_load_and_neither_waits() -> None:
    create_partition(7)
    with open_copy():
        with transaction.atomic():
            impatiently()
            create_partition(8)
        store(8, 2, [["c"]])
    assert sorted(str(row.values[0])[0] for row in RawRow.objects.all()) == ["a", "a", "b", "c"]


def test_a_load_goes_on_beside_a_partition_that_is_not_committed_yet() -> None:
    create_partition(7)
    with transaction.atomic():
        create_partition(8)
        with open_copy():
            pass
    assert RawRow.objects.count() == 3


def test_cells_are_compressed_by_lz4_where_the_server_has_it() -> None:
    create_partition(7)
    (has_lz4,) = one(
        "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'"
    )
    (compression,) = one(
        "SELECT attcompression FROM pg_attribute"
        " WHERE attrelid = 'billing_rawrow_7'::regclass AND attname = 'values'"
    )
    assert compression == ("l" if has_lz4 else "")


def test_dropping_takes_the_rows_of_one_connection() -> None:
    for connection_id in (7, 8):
        create_partition(connection_id)
        store(connection_id, connection_id, [["a"]])
    drop_partition(7)
    assert partitions() == ["billing_rawrow_8"]
    assert [row.connection_id for row in RawRow.objects.all()] == [8]


def test_dropping_what_is_not_there_changes_nothing() -> None:
    create_partition(8)
    drop_partition(7)
    assert partitions() == ["billing_rawrow_8"]


def test_a_dropped_connection_can_have_a_partition_again() -> None:
    create_partition(7)
    store(7, 1, [["a"]])
    drop_partition(7)
    create_partition(7)
    store(7, 2, [["b"]])
    assert [row.values for row in RawRow.objects.all()] == [["b"]]


def test_a_drop_that_was_interrupted_half_way_is_finished_by_the_next() -> None:
    create_partition(7)
    store(7, 1, [["a"]])
    with second_session() as reader, second_session(autocommit=True) as dropper:
        reader.execute("SELECT FROM billing_rawrow")
        dropper.execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            dropper.execute("ALTER TABLE billing_rawrow DETACH PARTITION billing_rawrow_7 CONCURRENTLY")
    assert one("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'billing_rawrow_7'::regclass") == (
        True,
    )
    drop_partition(7)
    assert partitions() == []


def test_a_drop_that_was_interrupted_behind_the_detach_is_finished_by_the_next() -> None:
    create_partition(7)
    with second_session(autocommit=True) as dropper:
        dropper.execute("ALTER TABLE billing_rawrow DETACH PARTITION billing_rawrow_7 CONCURRENTLY")
    drop_partition(7)
    assert partitions() == []


def test_dropping_waits_for_a_reader_however_impatient_the_session_is() -> None:
    create_partition(7)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    with second_session() as reader:
        reader.execute("SELECT FROM billing_rawrow")
        waiting = Thread(target=_end_once_somebody_waits, args=(reader,))
        waiting.start()
        drop_partition(7)
        waiting.join()
    assert partitions() == []


def test_a_drop_that_fails_leaves_the_session_as_impatient_as_it_was() -> None:
    create_partition(7)
    before = one("SHOW lock_timeout")
    with second_session() as reader, connection.cursor() as cursor:
        reader.execute("SELECT FROM billing_rawrow")
        cursor.execute("SET statement_timeout = '300ms'")
        with pytest.raises(OperationalError, match="statement timeout"):
            drop_partition(7)
        cursor.execute("RESET statement_timeout")
    assert one("SHOW lock_timeout") == before
    drop_partition(7)


def purge_rows(connection_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_purge_connection(%s)", [connection_id])


def test_purging_takes_the_rows_of_one_connection_and_keeps_its_partition() -> None:
    for connection_id in (7, 8):
        create_partition(connection_id)
        store(connection_id, connection_id, [["a"]])
    purge_rows(7)
    assert [row.connection_id for row in RawRow.objects.all()] == [8]
    assert one("SELECT pg_relation_size('billing_rawrow_7')") == (0,)
    store(7, 1, [["new"]])
    assert RawRow.objects.count() == 2


def test_purging_waits_for_nobody_who_loads_or_reads_another_connection() -> None:
    for connection_id in (7, 8):
        create_partition(connection_id)
    with open_copy(), second_session() as reader:
        reader.execute("SELECT FROM billing_rawrow WHERE connection_id = 7")
        with transaction.atomic():
            impatiently()
            purge_rows(8)


def test_a_purge_that_is_rolled_back_took_nothing() -> None:
    create_partition(7)
    store(7, 1, [["a"]])
    with transaction.atomic():
        purge_rows(7)
        assert RawRow.objects.count() == 0
        transaction.set_rollback(True)
    assert RawRow.objects.count() == 1


def test_purging_waits_a_bounded_time_for_a_reader_however_patient_the_session_is() -> None:
    create_partition(7)
    with second_session() as reader, connection.cursor() as cursor:
        reader.execute("SELECT FROM billing_rawrow")
        cursor.execute("SET lock_timeout = 0")
        with pytest.raises(OperationalError, match="lock timeout"):
            purge_rows(7)
        assert one("SHOW lock_timeout") == ("0",)
        cursor.execute("RESET lock_timeout")


def test_analyze_tells_the_planner_how_large_the_parent_is() -> None:
    create_partition(7)
    store(7, 1, [["a"]] * 123)
    analyze()
    assert one("SELECT reltuples FROM pg_class WHERE relname = 'billing_rawrow'") == (123,)


def _end_once_somebody_waits(reader: "psycopg.Connection[tuple[object, ...]]") -> None:
    # Longer than the session's own lock_timeout: that such a wait is no error is the point.
    waits = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND now() - query_start > '500ms'"
    )
    with second_session(autocommit=True) as watcher:
        until(lambda: watcher.execute(waits).fetchone() is not None, "the detach waits for the reader")
    reader.rollback()
