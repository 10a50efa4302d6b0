"""Memory does not grow with what a file expands to."""

import gzip
import io
import random
import tracemalloc
import zipfile
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_bytes import refusal

from ingestion.formats import parquet, parquet_file
from ingestion.pipeline.parse import Limits, parse
from tests.ingestion.bad_inputs.parquets import bytes_promised, with_footer

MIB = 2**20


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def most_memory_while_reading(data: bytes, name: str) -> tuple[int, int]:
    """Rows read, and the most memory Python and Arrow took for it on top of the file itself."""
    tracemalloc.reset_peak()
    before, arrow, rows = tracemalloc.get_traced_memory()[0], 0, 0
    for batch in parse(lambda: io.BytesIO(data), name, Limits()).batches:
        rows += batch.num_rows
        arrow = max(arrow, pa.total_allocated_bytes())
    return rows, tracemalloc.get_traced_memory()[1] - before + arrow


def bomb(line: bytes, megabytes: int) -> bytes:
    squeezed = io.BytesIO()
    with gzip.GzipFile(fileobj=squeezed, mode="wb") as out:
        out.write(b"a,b\n")
        for _ in range(megabytes):
            out.write(line * (MIB // len(line)))
    return squeezed.getvalue()


@pytest.mark.usefixtures("traced")
def test_a_gzip_of_300_mb_takes_a_few_blocks() -> None:
    line = b"x" * 509 + b",y\n"
    rows, memory = most_memory_while_reading(bomb(line, 300), "part.csv.gz")
    assert rows == 300 * (MIB // len(line))
    assert memory < 40 * MIB


@pytest.mark.usefixtures("traced")
def test_a_zip_of_100_mb_takes_a_few_blocks() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out, out.open("part.csv", "w") as member:
        member.write(b"a,b\n")
        for _ in range(100):
            member.write((b"x" * 509 + b",y\n") * (MIB // 512))
    rows, memory = most_memory_while_reading(archive.getvalue(), "part.csv.zip")
    assert rows == 100 * (MIB // 512)
    assert memory < 40 * MIB


@pytest.mark.usefixtures("traced")
def test_a_bomb_without_a_line_end_stops_at_the_row_cap() -> None:
    data = bomb(b"x", 200)
    tracemalloc.reset_peak()
    assert refusal(data, "part.csv.gz", row_bytes=4 * MIB).code == "row_too_large"
    assert tracemalloc.get_traced_memory()[1] < 40 * MIB


@pytest.mark.usefixtures("traced")
def test_a_parquet_row_group_of_many_rows_is_read_in_pieces() -> None:
    file = io.BytesIO()
    pq.write_table(
        pa.table(
            {
                f"c{index}": pa.nulls(3_000_000, pa.string()).fill_null("a value of some length")
                for index in range(5)
            }
        ),
        file,
        row_group_size=3_000_000,
    )
    assert pq.read_metadata(file).num_row_groups == 1
    rows, memory = most_memory_while_reading(file.getvalue(), "part.parquet")
    assert rows == 3_000_000  # 330 MB as text
    assert memory < 60 * MIB


@pytest.mark.usefixtures("traced")
def test_a_long_value_that_repeats_in_a_parquet_file_does_not_fill_memory() -> None:
    values = pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), ["x" * MIB])
    file = io.BytesIO()
    pq.write_table(pa.table({"a": values}), file)
    rows, memory = most_memory_while_reading(file.getvalue(), "part.parquet")
    assert rows == 400
    assert memory < 80 * MIB


@pytest.fixture
def very_many_files() -> bytes:
    """Made before memory is watched, which takes three times as long."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for number in range(100_000):
            out.writestr(str(number), b"")
    return archive.getvalue()


def test_a_zip_of_100_000_files_is_refused_before_it_makes_them_all(
    very_many_files: bytes, traced: None
) -> None:
    before = tracemalloc.get_traced_memory()[0]
    error = refusal(very_many_files, "part.csv.zip")
    assert (error.code, "list of its files takes 5," in str(error)) == ("too_large", True)
    assert tracemalloc.get_traced_memory()[1] - before < 4 * MIB


NOISE = [random.Random(number).randbytes(1024) for number in range(8 * 1024)]


def one_large_group_among_many() -> bytes:
    """8 MiB that cannot be compressed in the first row group, and 63 groups of a row."""
    file = io.BytesIO()
    schema = pa.schema([("a", pa.binary())])
    with pq.ParquetWriter(file, schema, use_dictionary=False, write_statistics=False) as out:
        for values in (NOISE, *[[b""]] * 63):
            out.write_table(pa.table({"a": values}, schema))
    return file.getvalue()


@pytest.mark.usefixtures("traced")
def test_a_column_chunk_is_read_whole_only_as_far_as_any_genuine_one_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_file, "_WHOLE_GROUP_BYTES", MIB)
    monkeypatch.setattr(parquet, "MOST_READ_BYTES", 4 * MIB)
    honest = one_large_group_among_many()
    rows, memory = most_memory_while_reading(honest, "part.parquet")
    assert rows == len(NOISE) + 63
    assert memory < 20 * MIB
    lying = with_footer(honest, bytes_promised(honest), 100)
    error = refusal(lying, "part.parquet")
    assert error.code == "too_large"
    assert str(error).startswith("A page, or the whole of a column in a row group, takes 8,")
    assert "KCX's engineers" in error.next_action
    assert error.evidence["object_bytes_read"]
