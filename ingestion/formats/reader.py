"""One way to read a source: full reads, lazy seeks, the source's own errors remembered, the bytes metered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from ingestion.file_errors import ReadTooLarge, TooLarge
from ingestion.formats.contract import Limits, Source


class Text(Protocol):
    """Decompressed bytes in order: `read(n)` gives n bytes, fewer only at the end."""

    def read(self, size: int, /) -> bytes: ...


class Reader:
    """The file object that zipfile, Arrow and the gunzip are given.

    `failure` is what the source itself raised, if it did: libraries wrap or swallow such errors, so whoever
    catches a library's error raises `failure` instead where there is one. `taken` counts the bytes read.
    """

    closed = False

    def __init__(self, source: Source) -> None:
        self._source = source
        self._source_at = 0
        self._position = 0
        self._head = b""
        self.taken = 0
        self.failure: Exception | None = None
        self._most: int | None = None
        self._what = ""

    def peek(self, size: int) -> bytes:
        """Return the first bytes and keep them, so that reading from the start needs no seek."""
        self._head = self.read(size)
        self._position = 0
        return self._head

    def read(self, size: int = -1) -> bytes:
        pieces = []
        wanted = size if size >= 0 else max(self.size() - self._position, 0)
        if self._most is not None and wanted > self._most:
            sentence = f"{self._what} takes {wanted:,} bytes, more than {self._most:,}."
            self.failure = ReadTooLarge(sentence, evidence=self.evidence())
            raise self.failure
        while wanted > 0 and (piece := self._read_some(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @contextmanager
    def no_read_above(self, size: int, what: str) -> Iterator[None]:
        """Refuse larger reads inside the block: the file itself tells how much of it is asked for at once.

        `what` is read there: it begins the sentence.
        """
        self._most, self._what = size, what
        try:
            yield
        finally:
            self._most = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position}.get(whence)
        self._position = offset + (self.size() if start is None else start)
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def size(self) -> int:
        self._source_at = self._seek_source(0, os.SEEK_END)
        return self._source_at

    def evidence(self) -> dict[str, int | str]:
        """How far the object was read: what is wrong with it stands before that, if it is read in order."""
        return {"object_bytes_read": self.taken}

    def close(self) -> None:
        """Arrow closes what it is given; the source stays its owner's."""

    def _read_some(self, size: int) -> bytes:
        if self._position < len(self._head):
            piece = self._head[self._position : self._position + size]
        else:
            piece = self._read_source(size)
        self._position += len(piece)
        return piece

    def _read_source(self, size: int) -> bytes:
        if self._source_at != self._position:
            self._source_at = self._seek_source(self._position, os.SEEK_SET)
        try:
            piece = self._source.read(size)
        except Exception as error:
            self.failure = error
            raise
        self._source_at += len(piece)
        self.taken += len(piece)
        return piece

    def _seek_source(self, offset: int, whence: int) -> int:
        try:
            return self._source.seek(offset, whence)
        except Exception as error:
            self.failure = error
            raise


class Meter:
    """Counts decompressed bytes and refuses a file that expands beyond its limits."""

    def __init__(self, reader: Reader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self.decoded = 0

    def add(self, count: int, *, judge_ratio: bool = True) -> None:
        """Raise TooLarge past the total, and past the ratio where it is judged."""
        self.decoded += count
        if self.decoded > self._limits.total_bytes:
            cap = f"{self._limits.total_bytes:,} bytes when decompressed (KCX_MAX_DECODED_BYTES)"
            raise TooLarge(f"The file holds more than {cap}.", evidence=self.evidence())
        if judge_ratio and self.decoded > self._limits.ratio_from:
            self._check_ratio()

    def _check_ratio(self) -> None:
        if self.decoded > self._limits.ratio * self._reader.taken:
            raise TooLarge(
                f"The file expands more than {self._limits.ratio} times when decompressed (KCX_MAX_RATIO): "
                f"{self._reader.taken:,} bytes gave {self.decoded:,}.",
                evidence=self.evidence(),
            )

    def evidence(self) -> dict[str, int | str]:
        """How far the file was read and decompressed."""
        return {**self._reader.evidence(), "bytes_decoded": self.decoded}


class MeteredText:
    """A text whose bytes are metered as they are read."""

    def __init__(self, text: Text, meter: Meter) -> None:
        self._text = text
        self._meter = meter

    def read(self, size: int) -> bytes:
        data = self._text.read(size)
        self._meter.add(len(data))
        return data
