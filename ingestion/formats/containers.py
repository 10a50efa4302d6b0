"""What wraps a file's text: gzip and zip, told by content; the name only helps the messages."""

import struct
import zipfile
import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import IO, TypeVar, cast

from isal import igzip_lib

from ingestion.errors import IngestionError
from ingestion.file_errors import (
    CorruptGzip,
    CorruptZip,
    CutGzip,
    CutParquet,
    CutZip,
    EncryptedParquet,
)
from ingestion.formats.evidence import excerpt
from ingestion.formats.reader import Reader, Text

MAGIC_LENGTH = 4
_GZIP_MAGIC = b"\x1f\x8b"
_PARQUET_MAGIC = b"PAR1"
_ENCRYPTED_PARQUET_MAGIC = b"PARE"
_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_COMPRESSED_BLOCK = 128 * 2**10
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    IndexError,
    struct.error,
)
# The stub calls the exception class an instance.
_ISAL_ERROR = cast("type[Exception]", igzip_lib.IsalError)
# An archive of one file and a few folders takes some hundred bytes for their list. zipfile reads it at once,
# and makes of it ten times as much.
_MOST_LISTED_BYTES = 2**20
T = TypeVar("T")


class Kind(StrEnum):
    """What a file is, by its first bytes."""

    NONE = "none"
    GZIP = "gzip"
    ZIP = "zip"
    PARQUET = "parquet"


def sniff(head: bytes, name: str) -> Kind:
    """Tell what a file is by its first bytes; only a Parquet name obliges: text may start with anything."""
    if head == _ENCRYPTED_PARQUET_MAGIC:
        raise EncryptedParquet("The Parquet file is encrypted.")
    if head == _PARQUET_MAGIC:
        return Kind.PARQUET
    if name.lower().endswith(".parquet"):
        sentence = "The file is named .parquet but does not start as a Parquet file does."
        raise CutParquet(sentence, evidence={"excerpt": excerpt(head)})
    if head.startswith(_GZIP_MAGIC) or head == _GZIP_MAGIC[:1]:
        return Kind.GZIP
    is_cut_zip = name.lower().endswith(".zip") and any(magic.startswith(head) for magic in _ZIP_MAGICS)
    return Kind.ZIP if head in _ZIP_MAGICS or is_cut_zip else Kind.NONE


def open_text(reader: Reader, kind: Kind) -> Text:
    """Return the text of a file that is no Parquet."""
    if kind is Kind.NONE:
        return reader
    return Gunzip(reader) if kind is Kind.GZIP else open_zip(reader)


def refuse_misnamed(kind: Kind, name: str, cause: IngestionError) -> None:
    """Raise if a file that turned out to be no text is named as compressed: its first bytes are damaged."""
    if kind is Kind.NONE and name.lower().endswith(".gz"):
        sentence = "The file is named .gz but is neither gzip nor text."
        raise CorruptGzip(sentence, evidence=cause.evidence) from cause
    if kind is Kind.NONE and name.lower().endswith(".zip"):
        sentence = "The file is named .zip but is neither a zip archive nor text."
        raise CorruptZip(sentence, evidence=cause.evidence) from cause


def refuse_second_layer(start: bytes, kind: Kind) -> None:
    """Raise if what was decompressed is compressed again, or no text at all but Parquet."""
    error = CorruptZip if kind is Kind.ZIP else CorruptGzip
    if start.startswith((_GZIP_MAGIC, *_ZIP_MAGICS)):
        raise error("The file is compressed twice.")
    if start.startswith(_PARQUET_MAGIC):
        raise error("The file is a Parquet file compressed once more.")


class Gunzip:
    """The text of a gzip stream of one or many members; after them only zero padding is fine."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._inflater = _new_inflater()
        self._between_members = False
        self._finished = False

    def read(self, size: int) -> bytes:
        pieces = []
        missing = size
        while missing > 0 and not self._finished:
            piece = self._inflate(missing)
            pieces.append(piece)
            missing -= len(piece)
        return b"".join(pieces)

    def _inflate(self, size: int) -> bytes:
        if self._inflater.eof:
            return self._begin_next_member(self._inflater.unused_data)
        block = self._reader.read(_COMPRESSED_BLOCK) if self._inflater.needs_input else b""
        if not block and self._inflater.needs_input:
            raise CutGzip("The gzip stream is cut short.", evidence=self._reader.evidence())
        return self._decompress(block, size)

    def _begin_next_member(self, rest: bytes) -> bytes:
        """Skip padding up to the next member's first two bytes, or find the end; never gives any text."""
        rest = rest.lstrip(b"\0")
        while len(rest) < len(_GZIP_MAGIC) and (block := self._reader.read(_COMPRESSED_BLOCK)):
            rest = (rest + block).lstrip(b"\0")
        if not rest:
            self._finished = True
            return b""
        if not rest.startswith(_GZIP_MAGIC):
            evidence = {**self._reader.evidence(), "excerpt": excerpt(rest)}
            raise CorruptGzip("There are bytes after the end of the gzip stream.", evidence=evidence)
        self._inflater = _new_inflater()
        return self._decompress(rest, 0)

    def _decompress(self, block: bytes, size: int) -> bytes:
        try:
            piece: bytes = self._inflater.decompress(block, size)
        except _ISAL_ERROR as error:
            sentence = f"The gzip stream is damaged ({_reason(error)})."
            raise CorruptGzip(sentence, evidence=self._reader.evidence()) from error
        return piece


def open_zip(reader: Reader) -> Text:
    """Return the text of the archive's one file; directories and macOS's resource forks do not count."""
    with reader.no_read_above(_MOST_LISTED_BYTES, "The zip archive's list of its files"):
        archive = _in_zip(reader, lambda: zipfile.ZipFile(_as_file(reader)), CutZip)
    members = _in_zip(reader, lambda: _files(archive))
    if len(members) != 1:
        raise CorruptZip(f"The zip archive holds {len(members)} files; it must hold exactly one.")
    member = members[0]
    if member.flag_bits & 1:
        raise CorruptZip("The zip archive is encrypted.")
    # zipfile inflates bzip2 and LZMA without a bound on what one block may become.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CorruptZip("The zip archive uses a compression other than deflate.")
    return _ZipText(_in_zip(reader, lambda: archive.open(member)), reader)


def _files(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    return [
        one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")
    ]


class _ZipText:
    """A member's text; its checksum is checked with the read that reaches its end."""

    def __init__(self, member: IO[bytes], reader: Reader) -> None:
        self._member = member
        self._reader = reader

    def read(self, size: int) -> bytes:
        return _in_zip(self._reader, lambda: self._member.read(size))


def _in_zip(reader: Reader, act: Callable[[], T], kind: type[CorruptZip] = CorruptZip) -> T:
    try:
        return act()
    except _ZIP_FAULTS as error:
        sentence = f"The zip archive is damaged ({_reason(error)})."
        raise reader.failure or kind(sentence, evidence=reader.evidence()) from error


def _as_file(reader: Reader) -> IO[bytes]:
    return cast("IO[bytes]", reader)  # zipfile asks for read, seek, tell and seekable only


def _new_inflater() -> igzip_lib.IgzipDecompressor:
    return igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
