"""Writes and replaces the raw rows of one file, in the caller's transaction."""

from collections.abc import Iterable

from django.db import connection
from psycopg import sql

COLUMNS = sql.SQL('connection_id, source_file_id, row_number, "values"')


def partition(connection_id: int) -> sql.Identifier:
    """The table that holds one connection's rows."""
    return sql.Identifier(f"billing_rawrow_{connection_id:d}")


def copy_rows(connection_id: int, payload: Iterable[bytes]) -> None:
    """COPY `payload`, PostgreSQL's binary format, straight into the connection's partition."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(partition(connection_id), COLUMNS)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for data in payload:
            copy.write(data)


def delete_rows(connection_id: int, source_file_id: int) -> int:
    """Delete the rows of one file, so that they can be replaced; answers how many there were.

    The table is append-only: only this function of its owner's may do it, and for one file at a time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_replace_file(%s, %s)", [connection_id, source_file_id])
        (deleted,) = cursor.fetchone()
    return int(deleted)
