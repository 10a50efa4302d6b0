"""What turns blocks of CSV lines into the bytes of each format, holding a bounded number of rows."""

import io
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet as pq

from billing.copy_out import csv_line
from ingestion.export_errors import NotAsTyped
from ingestion.exporting.columns import Columns
from ingestion.formats.csv_block import CsvBlocks
from ingestion.formats.from_text import from_text
from ingestion.formats.json_text import json_text

ROW_GROUP_BYTES = 32 * 2**20  # as Arrow holds them, before Parquet's encoding and compression


class Format(StrEnum):
    """What rows can be exported as."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    NDJSON = "ndjson"


class Writer(Protocol):
    """Gives the bytes that begin the output, those of each block of whole lines, and those that end it."""

    def begin(self) -> bytes: ...

    def write(self, block: bytes) -> bytes: ...

    def end(self) -> bytes: ...


class CsvWriter:
    """A header, then the lines as they come."""

    def __init__(self, columns: Columns) -> None:
        self._names = columns.names

    def begin(self) -> bytes:
        return csv_line(self._names) if self._names else b""

    def write(self, block: bytes) -> bytes:
        return block

    def end(self) -> bytes:
        return b""


class NdjsonWriter:
    """One object of strings and nulls per line; of columns that share a name the last, as in `data`."""

    def __init__(self, columns: Columns) -> None:
        self._blocks = CsvBlocks(len(columns.names))
        self._places = {name: place for place, name in enumerate(columns.names)}

    def begin(self) -> bytes:
        return b""

    def write(self, block: bytes) -> bytes:
        rows = self._blocks.read(block).select(list(self._places.values())).rename_columns(list(self._places))
        return b"".join(_lines(json_text(batch.to_struct_array())) for batch in rows.to_batches())

    def end(self) -> bytes:
        return b""


def _lines(texts: pa.StringArray) -> bytes:
    whole = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "\n")
    return whole[0].as_py().encode() + b"\n" if len(texts) else b""


class _Sink(io.RawIOBase):
    """Takes what a writer of Arrow's writes, in order, until it is taken away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        self._pieces.append(bytes(data))  # type: ignore[call-overload]
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


class ArrowWriter:
    """A stream of record batches in Arrow's IPC format."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._blocks = CsvBlocks(len(columns.names))
        self._sink = _Sink()
        self._stream = pyarrow.ipc.new_stream(self._sink, columns.schema)

    def begin(self) -> bytes:
        return self._sink.taken()

    def write(self, block: bytes) -> bytes:
        self._stream.write_table(typed(self._blocks.read(block), self._columns.schema))
        return self._sink.taken()

    def end(self) -> bytes:
        self._stream.close()
        return self._sink.taken()


class ParquetWriter:
    """A Parquet file, row group by row group; its footer, which comes last, is all that grows."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._blocks = CsvBlocks(len(columns.names))
        self._sink = _Sink()
        self._file = pq.ParquetWriter(self._sink, columns.schema)
        self._held: list[pa.Table] = []

    def begin(self) -> bytes:
        return self._sink.taken()

    def write(self, block: bytes) -> bytes:
        self._held.append(typed(self._blocks.read(block), self._columns.schema))
        if sum(table.nbytes for table in self._held) >= ROW_GROUP_BYTES:
            self._write_group()
        return self._sink.taken()

    def end(self) -> bytes:
        if self._held:
            self._write_group()
        self._file.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        rows = pa.concat_tables(self._held)
        self._held.clear()
        self._file.write_table(rows, row_group_size=rows.num_rows)


def typed(text: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with every value cast back to its column's type. Raises NotAsTyped."""
    columns = zip(text.columns, schema, strict=True)
    return pa.Table.from_arrays([_typed(column, field) for column, field in columns], schema=schema)


def _typed(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([from_text(chunk, field.type) for chunk in column.chunks], field.type)
    except (pa.ArrowException, ValueError, TypeError, LookupError) as error:
        sentence = f"Column {field.name!r} holds a value that is no {field.type}."
        raise NotAsTyped(sentence, column=field.name) from error


WRITERS: dict[Format, Callable[[Columns], Writer]] = {
    Format.CSV: CsvWriter,
    Format.PARQUET: ParquetWriter,
    Format.ARROW: ArrowWriter,
    Format.NDJSON: NdjsonWriter,
}
