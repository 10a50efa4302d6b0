"""One partition of raw rows per connection: made, dropped and analysed."""

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from billing.write import partition


def create_partition(connection_id: int) -> None:
    """Make the connection's partition where it is missing; waits for no load."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_create_partition(%s)", [connection_id])


def drop_partition(connection_id: int) -> None:
    """Drop a connection's partition, for good. Only the table's owner may, and not inside a transaction.

    May be called again where it was interrupted: a detach that was left half-way is finished first.
    """
    child = partition(connection_id)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")  # a detach that times out is left half-way
        try:
            _detach(cursor, child)
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(child))
        finally:
            cursor.execute("RESET lock_timeout")


def _detach(cursor: CursorWrapper, child: sql.Identifier) -> None:
    cursor.execute(
        "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [child.as_string(None)]
    )
    if (attached := cursor.fetchone()) is not None:
        how = sql.SQL("FINALIZE" if attached[0] else "CONCURRENTLY")
        cursor.execute(sql.SQL("ALTER TABLE billing_rawrow DETACH PARTITION {} {}").format(child, how))


def analyze() -> None:
    """Refresh the planner's statistics of the parent: autovacuum looks at partitions only."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_analyze()")


def partition_sizes() -> dict[int, int]:
    """The bytes of each connection's partition, by connection id, with its index and its TOAST table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT substring(c.relname FROM '[0-9]+$')::bigint, pg_total_relation_size(c.oid)"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = 'billing_rawrow'::regclass"
        )
        return dict(cursor.fetchall())
