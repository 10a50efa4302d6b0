"""Step 4 of 7: one object version as a seekable reader, pinned by If-Match; reading on is one request."""

import io
from typing import TYPE_CHECKING, Any

from ingestion.checksums import compare
from ingestion.digests import InOrderDigest
from ingestion.errors import StreamBroken
from ingestion.pipeline.resume import READ_AHEAD, PinnedObject, ResumingBody

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

__all__ = ["ObjectReader", "PinnedObject"]


class ObjectReader(io.BufferedIOBase):
    """The bytes of a pinned object. Touches no disk; holds READ_AHEAD bytes.

    Reading on is one GET that resumes at the byte where it broke; reading elsewhere is a GET of its own.
    Raises ObjectChanged or ObjectGone where this version is no longer there, StreamBroken where resuming
    did not help.
    """

    def __init__(self, s3: "S3Client", pinned: PinnedObject) -> None:
        self._pinned = pinned
        self._body = ResumingBody(s3, pinned)
        self._window = b""  # the bytes just before `_body.position`
        self._position = 0
        self._digest = InOrderDigest(pinned.size)
        self.bytes_read = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move without asking S3: the next read does, where it must."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._pinned.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end of the object; all that is left without a size."""
        left = max(self._pinned.size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._fetch(self._position, wanted)
        self._digest.saw(self._position, data)
        self._position += len(data)
        self.bytes_read += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; answers how many bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def sha256(self) -> str:
        """The digest, in hex, of the whole object in file order; fetches what was never read."""
        try:
            return self._digest.finish(self._fetch)
        except EOFError as error:
            raise StreamBroken(f"{self._pinned.key} ended early: {error}") from error

    def verify(self) -> None:
        """Compare the whole object with S3's checksum, where S3 keeps one; `sha256` then asks for nothing.

        Fetches what was read out of order, which may take as long as reading it did. Raises ChecksumMismatch.
        """
        self.sha256()
        if not self._body.has_compared:
            compare(self._digest, self._pinned.etag, self._body.head())

    def close(self) -> None:
        """Give the connection back."""
        self._body.close()
        super().close()

    def _fetch(self, offset: int, size: int) -> bytes:
        """`size` bytes, which the object must have; what was read ahead is kept for the next call."""
        at = offset - (self._body.position - len(self._window))
        if not 0 <= at <= len(self._window):
            self._body.move(offset)
            self._window, at = b"", 0
        missing = size - (len(self._window) - at)
        if missing <= 0:
            return self._window[at : at + size]
        ahead = min(max(missing, READ_AHEAD), self._pinned.size - self._body.position)
        data = self._window[at:] + self._body.read(ahead)
        self._window = data if len(data) > size else b""
        return data[:size]
