"""Arrow record batches of text -> PostgreSQL's binary COPY format, and the digest of the rows."""

import hashlib
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pgpq import ArrowToPostgresBinaryEncoder

from billing.errors import NulInRow, RowOverCap

SCHEMA = pa.schema(
    [
        pa.field("connection_id", pa.int64()),
        pa.field("source_file_id", pa.int64()),
        pa.field("row_number", pa.int64()),
        pa.field("values", pa.list_(pa.string())),
    ]
)


class RowEncoder:
    """Encodes one file's rows, in order; `rows` counts them.

    `digest` is the SHA-256 of all bytes given out, which equals that of `COPY (SELECT connection_id,
    source_file_id, row_number, values ... ORDER BY row_number) TO STDOUT (FORMAT binary)`.
    """

    def __init__(self, connection_id: int, source_file_id: int, max_row_bytes: int) -> None:
        self._ids = (connection_id, source_file_id)
        self.max_row_bytes = max_row_bytes
        self._encoder = ArrowToPostgresBinaryEncoder(SCHEMA)
        self._sha256 = hashlib.sha256()
        self.rows = 0

    def header(self) -> bytes:
        """The bytes that begin the COPY."""
        return self._given(self._encoder.write_header())

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """The bytes of `batch`'s rows; it has columns, all of type string. Raises RowRefused.

        Raises ValueError for a batch without columns: the digest of its rows would not be PostgreSQL's.
        """
        rows = batch.num_rows
        cells = _cells_in_row_order(batch)
        starts = np.arange(rows + 1, dtype=np.int32) * batch.num_columns
        self._refuse_nul(cells, batch.num_columns)
        self._refuse_over_cap(cells, starts)
        first = self.rows + 1
        arrays = [
            pa.array(np.full(rows, self._ids[0], dtype=np.int64)),
            pa.array(np.full(rows, self._ids[1], dtype=np.int64)),
            pa.array(np.arange(first, first + rows, dtype=np.int64)),
            pa.ListArray.from_arrays(pa.array(starts), cells),
        ]
        self.rows += rows
        return self._given(self._encoder.write_batch(pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)))

    def trailer(self) -> bytes:
        """The bytes that end the COPY."""
        return self._given(self._encoder.finish())

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of the bytes given out so far."""
        return self._sha256.hexdigest()

    def _given(self, data: bytes) -> bytes:
        self._sha256.update(data)
        return data

    def _refuse_nul(self, cells: pa.StringArray, columns: int) -> None:
        _, _, data = cells.buffers()
        if data is None or not np.frombuffer(data, dtype=np.uint8).all():
            found = pc.index(pc.match_substring(cells, "\0"), pa.scalar(value=True)).as_py()
            if found >= 0:
                raise NulInRow(self.rows + found // columns + 1, found % columns)

    def _refuse_over_cap(self, cells: pa.StringArray, starts: NDArray[np.int32]) -> None:
        if not len(cells):
            return
        sizes = np.diff(np.frombuffer(cells.buffers()[1], dtype=np.int32)[starts])
        if sizes.max() > self.max_row_bytes:
            raise RowOverCap(self.rows + int(sizes.argmax()) + 1)


def _cells_in_row_order(batch: pa.RecordBatch) -> pa.StringArray:
    by_column = pa.concat_arrays(batch.columns)
    return by_column.take(pa.array(_row_order(batch.num_rows, batch.num_columns)))


@lru_cache(maxsize=4)
def _row_order(rows: int, columns: int) -> NDArray[np.int32]:
    """Where each cell of a row-by-row walk stands in the columns laid end to end."""
    return np.arange(rows * columns, dtype=np.int32).reshape(columns, rows).T.ravel()
