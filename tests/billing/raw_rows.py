"""Stores raw rows as a load does, and looks at the database from a second session."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import psycopg
import pyarrow as pa
from django.db import connection

from billing.encode import RowEncoder
from billing.write import copy_rows

Row = Sequence[str | None]
ENOUGH = 2**20


def batch_of(rows: Sequence[Row], columns: int | None = None) -> pa.RecordBatch:
    """`rows` as a record batch of text; `columns` is needed where there are no rows."""
    width = len(rows[0]) if columns is None else columns
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in range(width)]
    return pa.RecordBatch.from_arrays(arrays, names=[f"c{place}" for place in range(width)])


def payload(encoder: RowEncoder, batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """The whole COPY of the batches."""
    yield encoder.header()
    for batch in batches:
        yield encoder.encode(batch)
    yield encoder.trailer()


def store(connection_id: int, source_file_id: int, rows: Sequence[Row]) -> None:
    """Put the rows of one file into the connection's partition."""
    encoder = RowEncoder(connection_id, source_file_id, ENOUGH)
    copy_rows(connection_id, payload(encoder, [batch_of(rows)] if rows else []))


@contextmanager
def second_session(*, autocommit: bool = False) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """Another session of the test's database, rolled back and closed when the block ends."""
    params = connection.get_connection_params()
    wanted = {name: params[name] for name in ("dbname", "host", "port", "user", "password") if name in params}
    session = psycopg.connect(**wanted, autocommit=autocommit)
    try:
        yield session
    finally:
        session.close()


def one(statement: str, *parameters: object) -> tuple[object, ...]:
    """The one row the statement answers."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        (row,) = cursor.fetchall()
    return tuple(row)
