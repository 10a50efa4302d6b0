"""What the source itself raises comes through as it is, and is never blamed on the file."""

import gzip
import io
import zipfile
from hashlib import sha256

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_bytes import BreakingSource, TricklingSource, rows_of

from ingestion.errors import ObjectChanged, StreamBroken
from ingestion.pipeline.parse import Limits, parse

# Digests hardly compress, so that a part of the file is a part of its rows.
DIGESTS = [sha256(b"%d" % number).hexdigest() for number in range(20_000)]
TEXT = b"a\n" + "\n".join(DIGESTS).encode()


def gzipped() -> bytes:
    return gzip.compress(TEXT)


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("part.csv", TEXT)
    return archive.getvalue()


def parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": DIGESTS, "b": DIGESTS}), file, row_group_size=6_000)
    return file.getvalue()


FILES = {"part.csv": lambda: TEXT, "part.csv.gz": gzipped, "part.csv.zip": zipped, "part.parquet": parquet}
ERRORS = [
    StreamBroken("The connection broke."),
    ObjectChanged("It changed."),
    ConnectionResetError(104, "reset"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.999])
@pytest.mark.parametrize("name", FILES)
def test_an_error_of_the_source_comes_through_unchanged(name: str, part: float, error: Exception) -> None:
    data = FILES[name]()
    source = BreakingSource(data, int(len(data) * part), error)
    with pytest.raises(type(error)) as caught:
        rows_of(parse(lambda: source, name, Limits(batch_bytes=10_000)))
    assert caught.value is error


@pytest.mark.parametrize("name", FILES)
def test_the_same_files_are_read_whole_where_the_source_gives_little_at_a_time(name: str) -> None:
    source = TricklingSource(FILES[name]())
    assert [row[0] for row in rows_of(parse(lambda: source, name, Limits()))] == DIGESTS


@pytest.mark.parametrize("name", FILES)
def test_the_source_is_left_open_for_its_owner(name: str) -> None:
    source = io.BytesIO(FILES[name]())
    assert len(rows_of(parse(lambda: source, name, Limits()))) == len(DIGESTS)
    assert not source.closed
