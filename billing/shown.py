"""Reads a page of a file's rows as people look at it: long cells cut, and so much text at most."""

from dataclasses import dataclass

from django.db import connection
from psycopg import sql

# What a cell adds to a page beside its text.
CELL_OVERHEAD = 20


@dataclass(frozen=True, slots=True)
class ShownCell:
    """A cell's text, or how it begins; `length`: the characters of all of it. NULL has neither."""

    text: str | None
    length: int | None

    @property
    def is_cut(self) -> bool:
        """Is there more of it than `text`?"""
        return self.length is not None and self.length > len(self.text or "")


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row: the cells of the columns that were asked for."""

    number: int
    cells: list[ShownCell]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: behind row `after`, or those just before `before`; `columns` are 0-based positions.

    `contains`: only rows whose cell in that column (0-based) holds that text. A cell is cut at `cell_most`
    characters; the page ends before the row that would make it longer than `page_most`, but holds one row.
    """

    columns: list[int]
    after: int = 0
    before: int | None = None
    contains: tuple[int, str] | None = None
    rows: int = 50
    cell_most: int = 1_000
    page_most: int = 1_000_000


# The innermost reads one row more than the page takes; nothing of a cell but its beginning leaves the server.
PAGE = """
WITH found AS MATERIALIZED (
    SELECT row_number, "values" FROM billing_rawrow
    WHERE connection_id = %(connection)s AND source_file_id = %(file)s AND row_number {beyond} %(from)s
      AND (%(column)s::int IS NULL OR strpos("values"[%(column)s], %(text)s) > 0)
    ORDER BY row_number {direction} LIMIT %(rows)s + 1
), cut AS MATERIALIZED (
    SELECT row_number, cells, lengths, sum(length) OVER (ORDER BY row_number {direction}) AS until,
           row_number() OVER (ORDER BY row_number {direction}) AS place
    FROM found, LATERAL (
        SELECT coalesce(array_agg(left(cell, %(cell_most)s) ORDER BY place), '{{}}') AS cells,
               coalesce(array_agg(length(cell) ORDER BY place), '{{}}') AS lengths,
               coalesce(sum(coalesce(least(length(cell), %(cell_most)s), 0) + %(overhead)s), 0) AS length
        FROM unnest("values") WITH ORDINALITY AS each (cell, place) WHERE place = ANY(%(columns)s)
    ) AS shown
)
SELECT row_number, cells, lengths, (SELECT count(*) FROM found)
FROM cut WHERE place = 1 OR (until <= %(page_most)s AND place <= %(rows)s) ORDER BY place
"""


def page_of_rows(connection_id: int, source_file_id: int, wanted: Wanted) -> tuple[list[ShownRow], bool]:
    """The page, in file order, and whether there are more rows in the direction that was asked for."""
    backwards = wanted.before is not None
    column, text = wanted.contains or (None, "")
    statement = sql.SQL(PAGE).format(
        beyond=sql.SQL("<" if backwards else ">"),
        direction=sql.SQL("DESC" if backwards else "ASC"),
    )
    asked = {
        "connection": connection_id,
        "file": source_file_id,
        "from": wanted.before if backwards else wanted.after,
        "column": None if column is None else column + 1,
        "text": text,
        "columns": [place + 1 for place in wanted.columns],
        "rows": wanted.rows,
        "cell_most": wanted.cell_most,
        "page_most": wanted.page_most,
        "overhead": CELL_OVERHEAD,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        found = cursor.fetchall()
    rows = [ShownRow(n, list(map(ShownCell, cells, lengths))) for n, cells, lengths, _ in found]
    more = bool(found) and found[0][-1] > len(rows)
    return (rows[::-1] if backwards else rows), more
