"""gzip and zstd over a stream of bytes."""

from enum import StrEnum
from typing import Protocol

import zstandard
from isal import isal_zlib


class Compression(StrEnum):
    """What an export's bytes may be wrapped in."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"


class Compressor(Protocol):
    """Takes bytes in, gives compressed ones out, some of them only at the end."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class _Unchanged:
    """No compression at all."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def compressor(compression: Compression) -> Compressor:
    """A new one, for one stream."""
    if compression is Compression.GZIP:
        gzip: Compressor = isal_zlib.compressobj(level=2, wbits=31)  # 31: with gzip's header
        return gzip
    if compression is Compression.ZSTD:
        return zstandard.ZstdCompressor().compressobj()
    return _Unchanged()
