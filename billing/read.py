"""Reads the raw rows of one file, and their digest; and which files have any."""

import hashlib
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Func, IntegerField, QuerySet, TextField
from django.db.models.functions import Cast
from psycopg import sql

from billing.models import RawRow
from billing.write import COLUMNS, partition

MEASURED_AT_ONCE = 20
LENGTH = Func(Cast("values", TextField()), function="octet_length", output_field=IntegerField())
NEXT = "SELECT source_file_id FROM billing_rawrow WHERE connection_id = %(connection)s"
# PostgreSQL has no plan of its own that goes from one file to the next without reading their rows.
FILES = f"""
WITH RECURSIVE file (id) AS (
    ({NEXT} ORDER BY source_file_id LIMIT 1)
    UNION ALL
    SELECT ({NEXT} AND source_file_id > file.id ORDER BY source_file_id LIMIT 1)
    FROM file WHERE file.id IS NOT NULL
)
SELECT id FROM file WHERE id IS NOT NULL
"""  # noqa: S608  # of constants only


def rows_after(
    connection_id: int, source_file_id: int, row_number: int = 0, limit: int = 100
) -> list[RawRow]:
    """At most `limit` rows of the file, in file order, behind `row_number`."""
    rows = _rows_of(connection_id, source_file_id)
    return list(rows.filter(row_number__gt=row_number).order_by("row_number")[:limit])


def rows_that_fit(
    connection_id: int, source_file_id: int, row_number: int, limit: int, octets: int
) -> list[RawRow]:
    """At most `limit` rows behind `row_number`, and as many as have `octets` of text; one, however large.

    The rows' lengths are asked first, so that no more than these is ever held.
    """
    rows = _rows_of(connection_id, source_file_id).filter(row_number__gt=row_number).order_by("row_number")
    fitting, room = 0, octets
    with transaction.atomic():  # so that the server measures no more rows than are asked for
        for length in rows.values_list(LENGTH, flat=True)[:limit].iterator(chunk_size=MEASURED_AT_ONCE):
            room -= length
            if room < 0 and fitting:
                break
            fitting += 1
    return list(rows[:fitting])


def values_between(
    connection_id: int, source_file_id: int, first: int, last: int
) -> dict[int, list[str | None]]:
    """The cells of the file's rows `first` to `last`, by row number; a row that is not there is left out."""
    rows = _rows_of(connection_id, source_file_id).filter(row_number__gte=first, row_number__lte=last)
    return dict(rows.values_list("row_number", "values"))


def files_with_rows(connection_id: int) -> set[int]:
    """Every file of which rows are stored, registered or not: one look into the primary key for each."""
    with connection.cursor() as cursor:
        cursor.execute(FILES, {"connection": connection_id})
        return {file for (file,) in cursor.fetchall()}


def count_rows(connection_id: int, source_file_id: int) -> int:
    """How many rows of the file are stored."""
    return _rows_of(connection_id, source_file_id).count()


def rows_outside(connection_id: int, source_file_id: int, last: int, limit: int) -> tuple[int, list[int]]:
    """How many rows of the file are not numbered 1 to `last`, and the numbers of the first `limit`."""
    rows = _rows_of(connection_id, source_file_id).exclude(row_number__gte=1, row_number__lte=last)
    numbers = rows.order_by("row_number").values_list("row_number", flat=True)
    return rows.count(), list(numbers[:limit])


def rows_digest(connection_id: int, source_file_id: int) -> str:
    """SHA-256, in hex, of the file's rows as they stand in the database, in binary COPY format."""
    digest = hashlib.sha256()
    for data in _binary_rows(connection_id, source_file_id):
        digest.update(data)
    return digest.hexdigest()


def _rows_of(connection_id: int, source_file_id: int) -> QuerySet[RawRow]:
    return RawRow.objects.filter(connection_id=connection_id, source_file_id=source_file_id)


def _binary_rows(connection_id: int, source_file_id: int) -> Iterator[bytes | memoryview]:
    rows = sql.SQL(
        "COPY (SELECT {} FROM {} WHERE connection_id = {} AND source_file_id = {} ORDER BY row_number)"
        " TO STDOUT (FORMAT binary)"
    ).format(COLUMNS, partition(connection_id), sql.Literal(connection_id), sql.Literal(source_file_id))
    with connection.cursor() as cursor, cursor.copy(rows) as copy:
        yield from copy
