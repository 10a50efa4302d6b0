"""Reads the raw rows of one file as lines of CSV, in chosen columns, from a session of the caller's."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import Connection, sql

from billing.write import partition

MOST_SELECTED = 1600  # PostgreSQL takes at most 1664 expressions in a SELECT


def csv_lines(
    session: Connection[Any], connection_id: int, source_file_id: int, places: Sequence[int | None]
) -> Iterator[bytes]:
    """Yield each row of the file as one line of CSV with its line feed, in file order; holds one at a time.

    `places` are the 0-based cells wanted, None a column the file does not have. NULL is an empty value,
    the empty string is `""`.
    """
    if len(places) > MOST_SELECTED:
        return _of_whole_rows(session, connection_id, source_file_id, places)
    return _of_cells(session, connection_id, source_file_id, places)


def _of_cells(
    session: Connection[Any], connection_id: int, source_file_id: int, places: Sequence[int | None]
) -> Iterator[bytes]:
    cells = [sql.SQL("NULL") if at is None else sql.SQL("v[{}]").format(sql.Literal(at + 1)) for at in places]
    # array_append unfolds the array once; taken from the stored one, each cell would unfold it anew: with
    # 133 columns that took 12 times as long.
    statement = sql.SQL(
        "COPY (SELECT {} FROM (SELECT array_append(v, NULL) AS v FROM ({}) AS stored OFFSET 0) AS unfolded)"
        " TO STDOUT (FORMAT csv)"
    ).format(sql.SQL(", ").join(cells), _rows(connection_id, source_file_id))
    with session.cursor() as cursor, cursor.copy(statement) as copy:
        yield from map(bytes, copy)


def _of_whole_rows(
    session: Connection[Any], connection_id: int, source_file_id: int, places: Sequence[int | None]
) -> Iterator[bytes]:
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(_rows(connection_id, source_file_id))
    with session.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["text[]"])
        for (values,) in copy.rows():
            yield csv_line([None if at is None else values[at] for at in places])


def _rows(connection_id: int, source_file_id: int) -> sql.Composed:
    return sql.SQL(
        'SELECT "values" AS v FROM {} WHERE connection_id = {} AND source_file_id = {}'
        " ORDER BY row_number OFFSET 0"
    ).format(partition(connection_id), sql.Literal(connection_id), sql.Literal(source_file_id))


def csv_line(cells: Sequence[str | None]) -> bytes:
    """One line as PostgreSQL writes it, but with a byte order mark quoted, which readers would drop."""
    return (",".join(map(_cell, cells)) + "\n").encode()


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    quoted = not text or any(mark in text for mark in ',"\r\n') or text.startswith("\ufeff")
    return '"' + text.replace('"', '""') + '"' if quoted else text
