"""Step 6 of 7: record batches -> billing's raw rows, by binary COPY inside the load's transaction."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pyarrow as pa

from billing.encode import RowEncoder
from billing.errors import NulInRow, RowOverCap
from billing.write import copy_rows
from ingestion.database_errors import named
from ingestion.file_errors import NulCharacter, RowTooLarge
from ingestion.formats.evidence import excerpt
from ingestion.pipeline.parse import Column, ParsedFile
from ingestion.pipeline.producer import in_background

# Encoded batches of a few MB each that may wait for the database.
BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Inserted:
    """How many rows a file had, and their digest (SHA-256 in hex of the binary COPY)."""

    rows: int
    rows_sha256: str


def insert(
    parsed: ParsedFile,
    connection_id: int,
    source_file_id: int,
    max_row_bytes: int,
    report: Callable[[int], None],
    verify: Callable[[], None],
) -> Inserted:
    """COPY every row of `parsed`; calls `report(rows encoded so far)` with every batch.

    Reading, decompressing, parsing and encoding run in a thread; this one feeds PostgreSQL. `verify` is
    called there behind the last row, before the COPY ends: however long it takes, the session is not idle.
    Raises whatever reading and verifying raise, BadFileError for rows that cannot be stored, StorageError or
    DatabaseUnavailable for PostgreSQL's refusals.
    """
    encoder = RowEncoder(connection_id, source_file_id, max_row_bytes)
    with closing(in_background(_payload(parsed, encoder, verify), BATCHES_AHEAD)) as payload:
        try:
            copy_rows(connection_id, _reported(payload, encoder, report))
        except psycopg.Error as error:
            raise named(error, "PostgreSQL stopped the load") from error
    return Inserted(encoder.rows, encoder.digest)


def _payload(parsed: ParsedFile, encoder: RowEncoder, verify: Callable[[], None]) -> Iterator[bytes]:
    yield encoder.header()
    try:
        for batch in parsed.batches:
            yield _encoded(encoder, batch, parsed.columns)
    except RowOverCap as refused:
        raise RowTooLarge(
            f"Row {refused.row_number} is larger than the cap of {encoder.max_row_bytes:,} bytes.",
            row=refused.row_number,
        ) from refused
    verify()
    yield encoder.trailer()


def _encoded(encoder: RowEncoder, batch: pa.RecordBatch, columns: tuple[Column, ...]) -> bytes:
    try:
        return encoder.encode(batch)
    except NulInRow as refused:
        index = refused.column or 0
        name, value = columns[index].name, batch.column(index)[refused.row_number - encoder.rows - 1].as_py()
        raise NulCharacter(
            f"Row {refused.row_number}, column {name!r} holds a NUL, which PostgreSQL cannot store.",
            row=refused.row_number,
            column=name,
            evidence={"excerpt": excerpt(value.encode(), value.encode().index(0))},
        ) from refused


def _reported(
    payload: Iterable[bytes], encoder: RowEncoder, report: Callable[[int], None]
) -> Iterator[bytes]:
    for data in payload:
        yield data
        report(encoder.rows)
