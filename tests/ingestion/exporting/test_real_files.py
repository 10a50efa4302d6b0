"""Every real file: loaded, exported as CSV and as Parquet, and compared with the source by another reader."""

import csv
import gzip
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from ingestion.exporting.export import export
from ingestion.exporting.writers import Format
from ingestion.formats.as_text import as_text
from ingestion.models import SourceFile
from ingestion.selection import Selection, of_file
from ingestion.verification.verify import verify_file
from tests.builders import ClientUnderTest
from tests.conftest import REAL_FILES
from tests.ingestion.formats.csv_by_hand import read_by_hand
from tests.ingestion.test_real_files import assert_stored_as_read, found, ingested

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True, databases=["default", "progress"])]

MOST_ROWS = 10_000
GROUND_TRUTH = REAL_FILES / "nise" / "GROUND_TRUTH.json"
TRUE_ROWS = (
    {f"nise/{file['key']}": file["rows"] for file in json.loads(GROUND_TRUTH.read_text())}
    if GROUND_TRUTH.exists()
    else {}
)


def exported(selection: Selection, as_format: Format) -> bytes:
    stream = export(selection, as_format)
    data = b"".join(stream)
    assert stream.receipt()["rows"] == selection.row_count
    return data


def lines(data: bytes) -> Iterator[list[str]]:
    """The header and the rows as Python's csv module reads them: NULL and the empty string look alike."""
    return csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)


def parquet(data: bytes | Path) -> pa.Table:
    source = data if isinstance(data, Path) else io.BytesIO(data)
    return pq.ParquetFile(source, coerce_int96_timestamp_unit="us").read()


@pytest.mark.parametrize("name", found(".csv", ".csv.gz"))
def test_a_real_csv_is_stored_as_read_is_verified_and_comes_out_as_other_readers_have_it(
    client_under_test: ClientUnderTest, real_files: Path, name: str
) -> None:
    body = (real_files / name).read_bytes()
    source = gzip.decompress(body) if name.endswith(".gz") else body
    file = ingested(client_under_test, real_files / name)
    assert file.row_count == TRUE_ROWS.get(name, file.row_count)
    assert_stored_as_read(file, source)
    assert_verified(file)
    selection = of_file(file.pk)
    ours = exported(selection, Format.CSV)
    for row, (line, expected) in enumerate(itertools.zip_longest(lines(ours), lines(source))):
        assert line == expected, f"row {row}"
    header, *rows = by_hand(source)
    assert by_hand(ours) == [header, *rows]
    table = parquet(exported(selection, Format.PARQUET))
    assert table.column_names == header
    for place, column in enumerate(table.columns):
        assert column.type == pa.string()
        assert column.to_pylist() == [row[place] for row in rows]


def assert_verified(file: SourceFile) -> None:
    """Its rows are those of its object in the bucket."""
    verified = verify_file(file.pk, "test", against_s3=True)
    assert (verified.rows, verified.told, verified.not_compared) == (file.row_count, [], [])


def by_hand(data: bytes) -> list[list[str | None]]:
    """The header and the rows, NULL and the empty string told apart."""
    read = read_by_hand(data.decode("utf-8-sig"), len(next(lines(data))))
    assert not read.code
    return read.rows


@pytest.mark.parametrize("name", found(".parquet"))
def test_a_real_parquet_comes_out_as_pyarrow_reads_its_source(
    client_under_test: ClientUnderTest, real_files: Path, tmp_path: Path, name: str
) -> None:
    path = cut(real_files / name, tmp_path)
    source = parquet(path)
    file = ingested(client_under_test, path)
    assert_verified(file)
    selection = of_file(file.pk)
    for ours in (
        parquet(exported(selection, Format.PARQUET)),
        pa.ipc.open_stream(exported(selection, Format.ARROW)).read_all(),
    ):
        assert [(field.name, field.type) for field in ours.schema] == [
            (field.name, field.type) for field in source.schema
        ]
        for column, expected in zip(ours.columns, source.columns, strict=True):
            assert column.equals(expected)
    header, *rows = lines(exported(selection, Format.CSV))
    assert header == source.column_names
    for place, column in enumerate(source.columns):
        texts = as_text(column.combine_chunks(), header[place], 0)
        assert [row[place] for row in rows] == [text or "" for text in texts.to_pylist()]


def cut(path: Path, folder: Path) -> Path:
    """The file, or where it is large its first rows with the same types: whole it takes half a minute."""
    source = parquet(path)
    if source.num_rows <= MOST_ROWS:
        return path
    pq.write_table(source.slice(0, MOST_ROWS), folder / path.name)
    return folder / path.name
