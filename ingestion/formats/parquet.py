"""Parquet to batches of text: read row group by row group, in pieces of a few megabytes."""

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from ingestion.file_errors import BadParquet, RowTooLarge
from ingestion.formats.as_text import as_text
from ingestion.formats.caps import within_caps
from ingestion.formats.contract import Limits, Oddities, ParsedFile, repeated_names
from ingestion.formats.evidence import large_value
from ingestion.formats.parquet_file import MOST_READ_BYTES, compression_of, open_parquet, refusal
from ingestion.formats.reader import Meter, Reader

_CELL_BYTES = 16  # what an average cell takes as text, whatever its dictionary made of it in the file
_MOST_ROWS = 2**16
_MOST_EXPANDED = 4  # times the wanted size of a batch


def read_parquet(reader: Reader, meter: Meter, limits: Limits) -> ParsedFile:
    """Read the footer and the first batch; return the columns and the batches."""
    file, columns = open_parquet(reader, limits)
    batches = _Rows(file, reader, meter, limits).batches()
    first = list(islice(batches, 1))
    return ParsedFile(
        format="parquet",
        compression=compression_of(file.metadata),
        columns=columns,
        batches=within_caps(chain(first, batches), columns, limits),
        parser=f"pyarrow {pa.__version__} parquet",
        bytes_decoded=lambda: meter.decoded,
        oddities=lambda: Oddities(repeated_names=repeated_names(columns)),
    )


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
            try:
                for batch in self._group(group):
                    yield from map(self._as_text, self._pieces(batch))
            # Whichever step comes first to a damaged value: an index outside its dictionary is read as it is.
            except (pa.ArrowException, OSError, ValueError) as error:
                evidence = {"row_group": group, "rows_before": self._done}
                raise self._reader.failure or refusal(error, evidence) from error
        if self._done != (promised := self._file.metadata.num_rows):
            raise BadParquet(f"The footer promises {promised:,} rows, the pages hold {self._done:,}.")

    def _group(self, group: int) -> Iterator[pa.RecordBatch]:
        rows = self._batch_rows(self._file.metadata.row_group(group))
        with self._reader.no_read_above(MOST_READ_BYTES, "A page, or the whole of a column in a row group,"):
            yield from self._file.iter_batches(batch_size=rows, row_groups=[group], use_threads=False)

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
            at = int(large[0])
            row = self._done + at + 1
            values = [memoryview(column[at].as_buffer() or b"") for column in text.columns]
            evidence = {"row_bytes": int(sizes[at]), **large_value(max(values, key=len))}
            sentence = f"Row {row} is larger than {self._limits.row_bytes:,} bytes."
            raise RowTooLarge(sentence, row=row, evidence=evidence)
