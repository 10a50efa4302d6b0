"""The digest of an object's bytes in file order, however the object is read."""

import hashlib
from collections.abc import Callable, Iterator

from awscrt import checksums

CHUNK = 2**20


class InOrderDigest:
    """SHA-256, MD5 and CRC64NVME of an object of `size` bytes that is read in any order, in bounded memory.

    Bytes that continue what was hashed are hashed at once. Bytes further on are kept while they fit into
    `keep` bytes (a Parquet footer, which is read first), and are otherwise read again by `finish`.
    """

    def __init__(self, size: int, keep: int = 8 * 2**20) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc64nvme = 0
        self._size = size
        self._room = keep
        self._ahead: dict[int, bytes] = {}
        self.hashed = 0

    def saw(self, offset: int, data: bytes) -> None:
        """Take in `data`, read at `offset`."""
        end = offset + len(data)
        if offset <= self.hashed < end:
            self._take(data[self.hashed - offset :])
        elif offset > self.hashed and len(data) <= self._room and offset not in self._ahead:
            self._ahead[offset] = data
            self._room -= len(data)

    def finish(self, read: Callable[[int, int], bytes]) -> str:
        """The SHA-256 in hex, after fetching what was never seen with `read(offset, length)`.

        Raises EOFError where `read` gives nothing before the end of the object.
        """
        for offset, length in self._gaps():
            data = read(offset, length)
            if not data:
                raise EOFError(f"no bytes at offset {offset} of {self._size}")
            self._take(data)
        return self._sha256.hexdigest()

    @property
    def sha256(self) -> bytes:
        """That of what was hashed so far."""
        return self._sha256.digest()

    @property
    def md5(self) -> bytes:
        """That of what was hashed so far."""
        return self._md5.digest()

    @property
    def crc64nvme(self) -> bytes:
        """That of what was hashed so far."""
        return self._crc64nvme.to_bytes(8, "big")

    def _take(self, data: bytes) -> None:
        self._hash(data)
        while (offset := self._next_ahead()) is not None:
            following = self._ahead.pop(offset)
            self._room += len(following)
            rest = following[self.hashed - offset :]
            self._hash(rest)

    def _hash(self, data: bytes) -> None:
        self._sha256.update(data)
        self._md5.update(data)
        self._crc64nvme = checksums.crc64nvme(data, self._crc64nvme)
        self.hashed += len(data)

    def _next_ahead(self) -> int | None:
        return next((offset for offset in self._ahead if offset <= self.hashed), None)

    def _gaps(self) -> Iterator[tuple[int, int]]:
        while self.hashed < self._size:
            stop = min((offset for offset in self._ahead if offset > self.hashed), default=self._size)
            yield self.hashed, min(CHUNK, stop - self.hashed)
