"""The files that are damaged: small generated ones, and the real ones."""

import gzip
import io
import zipfile
import zlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import pyarrow as pa
import pyarrow.parquet as pq

from tests.real_files import REAL_FILES

ENDINGS = (".csv", ".csv.gz", ".parquet")
I32 = 0x15  # a 32-bit field that follows the field before it, in Thrift's compact protocol


class Guard(StrEnum):
    """What of a file is protected by a checksum of its own."""

    NOTHING = "nothing"  # CSV: an independent reader tells what a mutant holds
    ALL = "all"  # gzip, zip
    PAGES = "pages"  # Parquet with page checksums


@dataclass(frozen=True)
class Original:
    """A good file."""

    name: str
    data: bytes
    guard: Guard = Guard.NOTHING


def text(rows: int) -> bytes:
    lines = [f'{n},"a ""quoted"" value, {n}",,"",é漢字{n},"two\r\nlines"\n' for n in range(rows)]
    return ("id,note,empty,blank,unicode,lines\n" + "".join(lines)).encode()


def zipped(method: int) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as out:
        out.writestr("part.csv", text(40))
    return archive.getvalue()


def parquet(**options: object) -> bytes:
    rows = 300
    table = pa.table(
        {
            "n": range(rows),
            "s": [f"value {n % 40}" if n % 7 else None for n in range(rows)],
            "f": [n / 3 for n in range(rows)],
            "d": pa.array([Decimal(n) / 8 for n in range(rows)], pa.decimal128(20, 6)),
            "t": pa.array(range(rows), pa.timestamp("ms", "UTC")),
            "m": pa.array(
                [[("k", str(n))] * (n % 3) for n in range(rows)], pa.map_(pa.string(), pa.string())
            ),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=150, **options)
    return file.getvalue()


def generated() -> list[Original]:
    """The small ones."""
    return [
        Original("plain.csv", text(40)),
        Original("crlf.csv", text(20).replace(b"\n", b"\r\n")),
        Original("marked.csv", b"\xef\xbb\xbf" + text(20)),
        Original("one-column.csv", b"a\n1\n\n3\n"),
        Original("small.csv.gz", gzip.compress(text(40), mtime=0), Guard.ALL),
        Original("members.csv.gz", gzip.compress(text(20)) + gzip.compress(b"9,x,,,y,z\n" * 20), Guard.ALL),
        Original("deflated.csv.zip", zipped(zipfile.ZIP_DEFLATED), Guard.ALL),
        Original("stored.csv.zip", zipped(zipfile.ZIP_STORED), Guard.ALL),
        Original("checked.parquet", parquet(write_page_checksum=True, compression="none"), Guard.PAGES),
        Original("checked-snappy.parquet", parquet(write_page_checksum=True), Guard.PAGES),
        Original(
            "checked-plain.parquet", parquet(write_page_checksum=True, use_dictionary=False), Guard.PAGES
        ),
        Original("zstd.parquet", parquet(compression="zstd", data_page_version="2.0")),
        Original("snappy.parquet", parquet()),
    ]


def real() -> list[Original]:
    """Those that were found, and none where they are missing."""
    paths = sorted(path for path in REAL_FILES.rglob("*") if path.name.endswith(ENDINGS))
    return [
        Original(
            str(path.relative_to(REAL_FILES)),
            path.read_bytes(),
            Guard.ALL if path.name.endswith(".gz") else Guard.NOTHING,
        )
        for path in paths
    ]


def checked_spans(data: bytes) -> list[tuple[int, int]]:
    """Where the pages are that a Parquet file keeps a checksum of: what a flip may not change unseen."""
    metadata = pq.read_metadata(pa.BufferReader(data))
    spans = []
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(index)
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            end = start + chunk.total_compressed_size
            while start < end:
                page = _page(data, start)
                spans.append(page)
                start = page[1]
    return spans


def _page(data: bytes, start: int) -> tuple[int, int]:
    """The span of a page's bytes, behind its header of unknown length: type, two sizes, checksum, more."""
    at, numbers = start, []
    for _ in range(4):
        assert data[at] == I32
        number, at = _varint(data, at + 1)
        numbers.append(number >> 1 ^ -(number & 1))
    size, checksum = numbers[2], numbers[3] & 0xFFFFFFFF
    begin = next(at for at in range(at, at + 500) if zlib.crc32(data[at : at + size]) == checksum)
    return begin, begin + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at
