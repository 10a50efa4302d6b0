"""Arrow tables as the files AWS writes: csv.gz, csv.zip and snappy Parquet, byte for byte repeatable."""

import gzip
import io
import re
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq

_NEEDS_QUOTES = re.compile(r'[,"\r\n]')


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    if value == "" or _NEEDS_QUOTES.search(value):
        return '"' + value.replace('"', '""') + '"'
    return value


def csv_text(table: pa.Table) -> bytes:
    """RFC 4180 with LF: NULL is an unquoted empty field and the empty string a quoted one."""
    lines = [table.column_names, *zip(*(column.to_pylist() for column in table.columns), strict=True)]
    return "".join(",".join(map(_cell, line)) + "\n" for line in lines).encode()


def csv_gz(table: pa.Table) -> bytes:
    """The CSV of a table of strings in one gzip member without a time stamp."""
    return gzip.compress(csv_text(table), mtime=0)


def csv_zip(table: pa.Table, member: str) -> bytes:
    """The CSV of a table of strings as the only member of a zip archive."""
    return _zipped(csv_text(table), member)


def _zipped(text: bytes, member: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr(zipfile.ZipInfo(member), text, zipfile.ZIP_DEFLATED)
    return archive.getvalue()


def snappy_parquet(table: pa.Table, *, int96: bool = False) -> bytes:
    """Parquet with snappy pages; `int96` writes timestamps as Spark does."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="snappy", use_deprecated_int96_timestamps=int96)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


def csv_of(part: bytes) -> bytes:
    """The text in a csv.gz or csv.zip."""
    if not part.startswith(b"PK"):
        return gzip.decompress(part)
    with zipfile.ZipFile(io.BytesIO(part)) as archive:
        return archive.read(archive.namelist()[0])


def emptied(part: bytes) -> bytes:
    """The same kind of file with its header or schema and no row."""
    if part.startswith(b"PAR1"):
        return snappy_parquet(pq.read_table(pa.BufferReader(part)).slice(0, 0))
    header = csv_of(part).split(b"\n", 1)[0] + b"\n"
    return _zipped(header, "empty.csv") if part.startswith(b"PK") else gzip.compress(header, mtime=0)
