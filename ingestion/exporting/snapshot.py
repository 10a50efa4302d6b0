"""One REPEATABLE READ transaction on a session of its own: all files of a selection as of one moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection

from billing.copy_out import csv_lines
from ingestion.database_errors import named
from ingestion.export_errors import RowsMissing, SelectionChanged
from ingestion.load_session import SESSION, wanted
from ingestion.selection import SelectedFile, Selection

BLOCK_BYTES = 2**20
Session = psycopg.Connection[Any]


@contextmanager
def snapshot() -> Iterator[Session]:
    """A session whose statements all see one moment, and write nothing; closed afterwards."""
    try:
        session: Session = connection.get_new_connection(connection.get_connection_params())
        try:
            session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            session.read_only = True
            session.execute(SESSION, [wanted()])
            # Who reads the export may pause for longer than a load and its peer may.
            session.execute("SET LOCAL tcp_user_timeout = 0")
            session.execute("SET LOCAL idle_in_transaction_session_timeout = '15min'")
            yield session
        finally:
            session.close()
    except psycopg.Error as error:
        raise named(error, "The rows could not be read") from error


def check_unchanged(session: Session, selection: Selection) -> datetime:
    """The moment the session sees. Raises SelectionChanged where a file is not what was selected."""
    found = session.execute(
        "SELECT id, row_count, rows_sha256 FROM ingestion_sourcefile WHERE id = ANY(%s)",
        [[file.id for file in selection.files]],
    )
    facts = {pk: (rows, digest) for pk, rows, digest in found}
    for file in selection.files:
        if facts.get(file.id) != (file.row_count, file.rows_sha256):
            raise SelectionChanged(f"File {file.id} was loaded anew or taken away since it was selected.")
    moment: datetime
    [(moment,)] = session.execute("SELECT now()").fetchall()
    return moment


def blocks_of(
    session: Session, connection_id: int, file: SelectedFile, places: list[int | None]
) -> Iterator[bytes]:
    """The file's rows as whole lines of CSV, about a megabyte at a time, or one row where that is larger.

    Raises RowsMissing at the end where there were not as many as the registry says.
    """
    lines: list[bytes] = []
    held = rows = 0
    for line in csv_lines(session, connection_id, file.id, places):
        lines.append(line)
        held += len(line)
        rows += 1
        if held >= BLOCK_BYTES:
            yield b"".join(lines)
            lines, held = [], 0
    if lines:
        yield b"".join(lines)
    if rows != file.row_count:
        raise RowsMissing(
            f"File {file.id} has {rows:,} rows in the database, {file.row_count:,} in its registry."
        )
