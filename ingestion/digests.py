"""The digest of an object's bytes in file order, however the object is read."""

import hashlib
from collections.abc import Callable

from awscrt import checksums

from ingestion.errors import ChecksumMismatch

CHUNK = 2**20

# Gives so many bytes from an offset on, or fewer.
Read = Callable[[int, int], bytes]


class InOrderDigest:
    """Digests of an object of `size` bytes that is read in any order, in bounded memory.

    Bytes that continue what was hashed are hashed at once. Bytes further on are kept while they fit into
    `keep` bytes (a Parquet footer, which is read first). Of all others only a checksum is kept: `finish`
    reads them again, and refuses an object that then has others.
    """

    def __init__(self, size: int, keep: int = 8 * 2**20) -> None:
        self._sha256 = hashlib.sha256()
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64nvme = self._crc32 = self._crc32c = 0
        self._size = size
        self._room = keep
        self._ahead: dict[int, bytes] = {}
        # Where, how many, and their CRC32C: read, and not hashed.
        self._seen: set[tuple[int, int, int]] = set()
        self.hashed = 0

    def saw(self, offset: int, data: bytes) -> None:
        """Take in `data`, read at `offset`."""
        before, following = data[: max(self.hashed - offset, 0)], data[max(self.hashed - offset, 0) :]
        if before:
            self._note(offset, before)
        if not following:
            return
        if offset <= self.hashed:
            self._take(following)
        elif len(data) <= self._room and offset not in self._ahead:
            self._ahead[offset] = data
            self._room -= len(data)
        else:
            self._note(offset, data)

    def finish(self, read: Read) -> str:
        """The SHA-256 in hex, after fetching what was not hashed with `read(offset, length)`.

        Raises EOFError where `read` gives nothing before the end of the object, and ChecksumMismatch where
        it gives other bytes than those that were seen.
        """
        for offset, length, crc in sorted(self._seen):
            self._fill(read, offset)
            self._see_again(read, offset, length, crc)
        self._seen.clear()
        self._fill(read, self._size)
        return self._sha256.hexdigest()

    def checksums(self) -> dict[str, bytes]:
        """Of what was hashed so far, by the names S3 gives them."""
        return {
            "CRC64NVME": self._crc64nvme.to_bytes(8, "big"),
            "CRC32C": self._crc32c.to_bytes(4, "big"),
            "CRC32": self._crc32.to_bytes(4, "big"),
            "SHA256": self._sha256.digest(),
            "SHA1": self._sha1.digest(),
            "MD5": self._md5.digest(),
        }

    def _take(self, data: bytes) -> None:
        self._hash(data)
        while (offset := self._next_ahead()) is not None:
            following = self._ahead.pop(offset)
            self._room += len(following)
            rest = following[self.hashed - offset :]
            self._hash(rest)

    def _hash(self, data: bytes) -> None:
        self._sha256.update(data)
        self._sha1.update(data)
        self._md5.update(data)
        self._crc64nvme = checksums.crc64nvme(data, self._crc64nvme)
        self._crc32 = checksums.crc32(data, self._crc32)
        self._crc32c = checksums.crc32c(data, self._crc32c)
        self.hashed += len(data)

    def _next_ahead(self) -> int | None:
        return next((offset for offset in self._ahead if offset <= self.hashed), None)

    def _note(self, offset: int, data: bytes) -> None:
        self._seen.add((offset, len(data), checksums.crc32c(data)))

    def _fill(self, read: Read, stop: int) -> None:
        """Hash up to there what nobody read."""
        while self.hashed < stop:
            end = min((offset for offset in self._ahead if offset > self.hashed), default=stop)
            self._take(_read(read, self.hashed, min(CHUNK, min(end, stop) - self.hashed)))

    def _see_again(self, read: Read, offset: int, length: int, crc: int) -> None:
        at, found = offset, 0
        while at < offset + length:
            data = _read(read, at, min(CHUNK, offset + length - at))
            found = checksums.crc32c(data, found)
            if at <= self.hashed < at + len(data):
                self._take(data[self.hashed - at :])
            at += len(data)
        if found != crc:
            raise ChecksumMismatch(
                f"{length:,} bytes at offset {offset:,} were others when they were read again."
            )


def _read(read: Read, offset: int, length: int) -> bytes:
    data = read(offset, length)
    if not data:
        raise EOFError(f"no bytes at offset {offset}")
    return data
