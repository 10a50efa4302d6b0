"""Exports a selection: a stream of bytes, and the receipt that goes with it."""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ingestion.exporting.columns import Columns, columns_of
from ingestion.exporting.compression import Compression, compressor
from ingestion.exporting.snapshot import blocks_of, check_unchanged, snapshot
from ingestion.exporting.writers import WRITERS, Format
from ingestion.selection import Selection

Receipt = dict[str, Any]


def facts(selection: Selection, columns: Columns) -> Receipt:
    """The part of the receipt that is known before a byte is written."""
    return {
        "what": selection.what,
        "connection_id": selection.connection_id,
        "delivery_ids": list(selection.delivery_ids),
        "files": [
            {
                "id": file.id,
                "key": file.key,
                "etag": file.etag,
                "rows": file.row_count,
                "rows_sha256": file.rows_sha256,
                "object_sha256": file.object_sha256,
            }
            for file in selection.files
        ],
        "rows": selection.row_count,
        "columns": list(columns.names),
    }


class ExportStream(Iterator[bytes]):
    """The bytes of an export, once, and after the last of them its `receipt`.

    Iterating raises SelectionChanged, RowsMissing, or what the database's failure is named: what was given
    out before that is not a whole export. `close` ends it early.
    """

    def __init__(
        self,
        selection: Selection,
        as_format: Format,
        columns: Sequence[str] | None,
        compression: Compression,
    ) -> None:
        self.selection = selection
        self.format = as_format
        self.compression = compression
        self.columns = columns_of(selection.files, columns)
        self._made_at: datetime | None = None
        self._plain, self._given = hashlib.sha256(), hashlib.sha256()
        self._bytes = 0
        self._ended = False
        self._chunks = self._compressed()

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        """End the export, and its session of the database."""
        self._chunks.close()

    def receipt(self) -> Receipt:
        """What was exported, as JSON has it. Raises RuntimeError before the last byte was given out."""
        if not self._ended or self._made_at is None:
            raise RuntimeError("The export has not ended.")
        return {
            **facts(self.selection, self.columns),
            "format": self.format.value,
            "compression": self.compression.value,
            "made_at": self._made_at.astimezone(UTC).isoformat(),
            "bytes": self._bytes,
            "sha256": self._given.hexdigest(),
            "uncompressed_sha256": self._plain.hexdigest(),
        }

    def _compressed(self) -> Generator[bytes, None, None]:
        compress = compressor(self.compression)
        for data in self._formatted():
            self._plain.update(data)
            yield from self._counted(compress.compress(data))
        yield from self._counted(compress.flush())
        self._ended = True

    def _counted(self, data: bytes) -> Iterator[bytes]:
        if data:
            self._given.update(data)
            self._bytes += len(data)
            yield data

    def _formatted(self) -> Iterator[bytes]:
        writer = WRITERS[self.format](self.columns)
        with snapshot() as session:
            self._made_at = check_unchanged(session, self.selection)
            yield writer.begin()
            for file in self.selection.files:
                places = self.columns.places_in(file)
                for block in blocks_of(session, self.selection.connection_id, file, places):
                    yield writer.write(block)
        yield writer.end()


def export(
    selection: Selection,
    as_format: Format,
    columns: Sequence[str] | None = None,
    compression: Compression = Compression.NONE,
) -> ExportStream:
    """The rows of all the selection's files, one file after the other, as a stream of bytes.

    The rows are read in one REPEATABLE READ transaction of a session of its own, begun with the first chunk,
    and a bounded number of them is held. Raises UnknownColumn at once.
    """
    return ExportStream(selection, as_format, columns, compression)
