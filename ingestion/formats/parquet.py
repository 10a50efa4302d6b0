"""Parquet to batches of text: read row group by row group, in pieces of a few megabytes."""

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from ingestion.file_errors import (
    BadParquet,
    EncryptedParquet,
    NamelessColumn,
    NulCharacter,
    RowTooLarge,
)
from ingestion.formats.as_text import as_text, refuse_unsupported
from ingestion.formats.contract import Column, Limits, ParsedFile
from ingestion.formats.reader import Meter, Reader

_CELL_BYTES = 16  # what an average cell takes as text, whatever its dictionary made of it in the file
_MOST_ROWS = 2**16
_MOST_EXPANDED = 4  # times the wanted size of a batch
# Up to this size a row group's column chunks are read whole, each in one request and in file order.
_WHOLE_GROUP_BYTES = 128 * 2**20
_PAGE_BUFFER_BYTES = 2**20
_LARGE_COLUMN_BYTES = 2**18  # on average; a chunk's own size cannot be asked for where columns are encrypted


def read_parquet(reader: Reader, meter: Meter, limits: Limits) -> ParsedFile:
    """Read the footer and the first batch; return the columns and the batches."""
    file, schema = _open(reader)
    columns = tuple(Column(field.name, str(field.type)) for field in schema)
    _check_names(columns)
    refuse_unsupported(schema)
    batches = _Rows(file, reader, meter, limits).batches()
    first = list(islice(batches, 1))
    return ParsedFile(
        format="parquet",
        compression=_compression(file.metadata),
        columns=columns,
        batches=chain(first, batches),
        parser=f"pyarrow {pa.__version__} parquet",
        bytes_decoded=lambda: meter.decoded,
    )


def _open(reader: Reader) -> tuple[pq.ParquetFile, pa.Schema]:
    """Open the file; the schema is the file's own, while its strings are read as dictionaries."""
    handle = pa.PythonFile(reader, mode="r")
    try:
        plain = pq.ParquetFile(handle, coerce_int96_timestamp_unit="us", pre_buffer=False)
        file = pq.ParquetFile(
            handle,
            metadata=plain.metadata,
            read_dictionary=_dictionary_columns(plain.metadata),
            buffer_size=_buffer_size(plain.metadata, reader.size()),
            pre_buffer=False,
            page_checksum_verification=True,
            coerce_int96_timestamp_unit="us",
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise reader.failure or _translated(error) from error
    return file, plain.schema_arrow


def _dictionary_columns(metadata: pq.FileMetaData) -> list[str]:
    """Name the text columns outside lists and maps that are read as dictionaries: all, or none.

    A long value that repeats then takes its place once, so that no small file can fill the memory. But Arrow
    keeps all values of a row group in them: the columns of large row groups are read as they are.
    """
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    if any(group.total_byte_size > _LARGE_COLUMN_BYTES * metadata.num_columns for group in groups):
        return []
    columns = (metadata.schema.column(index) for index in range(metadata.num_columns))
    return [one.path for one in columns if one.logical_type.type == "STRING" and not one.max_repetition_level]


def _buffer_size(metadata: pq.FileMetaData, file_bytes: int) -> int:
    """Return 0 to read column chunks whole, else how much of each to hold.

    A row group's share of the file is judged by its size before compression: Arrow 26 aborts the process
    when asked for the sizes of an encrypted column.
    """
    sizes = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
    largest = file_bytes * max(sizes, default=0) // max(sum(sizes), 1)
    return 0 if largest <= _WHOLE_GROUP_BYTES else _PAGE_BUFFER_BYTES


def _compression(metadata: pq.FileMetaData) -> str:
    """Name the codecs of the first row group with rows; to be asked once that has been read (see above)."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    for group in (one for one in groups if one.num_rows):
        codecs = {group.column(index).compression.lower() for index in range(group.num_columns)}
        return "+".join(sorted(codecs)).replace("uncompressed", "none")
    return "none"


def _check_names(columns: tuple[Column, ...]) -> None:
    for number, column in enumerate(columns, 1):
        if not column.name:
            raise NamelessColumn(f"Column {number} of {len(columns)} has no name.")
        if "\0" in column.name:
            raise NulCharacter(f"The name of column {number} holds the NUL character.")


def _translated(error: Exception) -> BadParquet | EncryptedParquet:
    if "crypt" in str(error):
        return EncryptedParquet("The Parquet file is encrypted.")
    sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
    return BadParquet(f"The Parquet file cannot be read: {sentence.rstrip('.')}.")


def _expanded_size(batch: pa.RecordBatch) -> int:
    return sum(_expanded_column_size(column) for column in batch.columns)


def _expanded_column_size(column: pa.Array) -> int:
    if not pt.is_dictionary(column.type) or not pt.is_string(column.type.value_type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return pc.sum(pc.take(lengths, column.indices)).as_py() or 0


class _Rows:
    """Reads row groups one after the other, and counts rows so that an error can name its own."""

    def __init__(self, file: pq.ParquetFile, reader: Reader, meter: Meter, limits: Limits) -> None:
        self._file = file
        self._reader = reader
        self._meter = meter
        self._limits = limits
        self._done = 0

    def batches(self) -> Iterator[pa.RecordBatch]:
        for group in range(self._file.metadata.num_row_groups):
            for batch in self._group(group):
                yield from map(self._as_text, self._pieces(batch))

    def _group(self, group: int) -> Iterator[pa.RecordBatch]:
        rows = self._batch_rows(self._file.metadata.row_group(group))
        try:
            yield from self._file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._reader.failure or _translated(error) from error

    def _batch_rows(self, group: pq.RowGroupMetaData) -> int:
        encoded: int = group.total_byte_size // max(group.num_rows, 1)
        row: int = max(encoded, _CELL_BYTES * group.num_columns, 1)
        return max(1, min(_MOST_ROWS, self._limits.batch_bytes // row))

    def _pieces(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """Halve a batch until its dictionaries, written out, take a bounded place."""
        if batch.num_rows <= 1 or _expanded_size(batch) <= _MOST_EXPANDED * self._limits.batch_bytes:
            yield batch
            return
        half = batch.num_rows // 2
        yield from self._pieces(batch.slice(0, half))
        yield from self._pieces(batch.slice(half))

    def _as_text(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [
            as_text(column, field.name, self._done)
            for column, field in zip(batch.columns, batch.schema, strict=True)
        ]
        text = pa.RecordBatch.from_arrays(arrays, names=[str(index) for index in range(len(arrays))])
        self._meter.add(text.nbytes, judge_ratio=False)
        if text.nbytes > self._limits.row_bytes:
            self._refuse_large_rows(text)
        self._done += text.num_rows
        return text

    def _refuse_large_rows(self, text: pa.RecordBatch) -> None:
        sizes = np.zeros(text.num_rows, np.int64)
        for column in text.columns:
            sizes += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
        large = np.flatnonzero(sizes > self._limits.row_bytes)
        if large.size:
            row = self._done + int(large[0]) + 1
            raise RowTooLarge(f"Row {row} is larger than {self._limits.row_bytes:,} bytes.", row=row)
