"""Refuses rows past the file's cap, and values past theirs, whatever format they come from."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.file_errors import TooLarge, ValueTooLarge
from ingestion.formats.contract import Column, Limits
from ingestion.formats.evidence import large_value


def within_caps(
    batches: Iterator[pa.RecordBatch], columns: tuple[Column, ...], limits: Limits
) -> Iterator[pa.RecordBatch]:
    """Yield the batches as they are. Raises TooLarge and ValueTooLarge."""
    rows = 0
    for batch in batches:
        if rows + batch.num_rows > limits.rows:
            raise TooLarge(
                f"The file has more than {limits.rows:,} rows (KCX_MAX_ROWS).", row=limits.rows + 1
            )
        if batch.nbytes > limits.value_bytes:
            _refuse_large_value(batch, columns, rows, limits.value_bytes)
        rows += batch.num_rows
        yield batch


def _refuse_large_value(batch: pa.RecordBatch, columns: tuple[Column, ...], rows: int, cap: int) -> None:
    for column, values in zip(columns, batch.columns, strict=True):
        sizes = pc.fill_null(pc.binary_length(values), 0)
        found = pc.index(pc.greater(sizes, cap), pa.scalar(value=True)).as_py()
        if found >= 0:
            row = rows + found + 1
            raise ValueTooLarge(
                f"Row {row}, column {column.name!r} holds {sizes[found].as_py():,} bytes, "
                f"more than {cap:,} (KCX_MAX_VALUE_BYTES).",
                row=row,
                column=column.name,
                evidence=large_value(memoryview(values[found].as_buffer())),
            )
