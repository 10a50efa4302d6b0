"""The real billing files of other people: everything in them comes back."""

import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from reading_bytes import Row, rows_of

from ingestion.pipeline.parse import Limits, ParsedFile, parse

DATA = Path(__file__).parents[3].parent / "shared" / "data"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is missing: no real billing files to read"),
]
WORKSHOP = ["Oct2018-WorkshopCUR-00001.snappy.parquet", "Nov2018-WorkshopCUR-00001.snappy.parquet"]
PLAIN_CSV = [
    "cur/focus_converters/sample-anonymous-aws-export-dataset.csv",
    "cur/koku/2022-07-01-alt-columns.csv",
    "cur/koku/2023-06-01-not-final.csv",
    "focus/focus_sample_aws_only.csv",
]


def parsed(path: Path) -> ParsedFile:
    return parse(lambda: path.open("rb"), path.name, Limits())


def emptied(rows: list[Row]) -> list[list[str]]:
    """NULL as Python's csv module has it."""
    return [[value or "" for value in row] for row in rows]


@pytest.mark.parametrize("name", WORKSHOP)
def test_a_parquet_cur_of_aws_casts_back_to_what_it_holds(name: str) -> None:
    path = DATA / "cur" / "well-architected-labs" / name
    found = parsed(path)
    text = pa.Table.from_batches(list(found.batches))
    theirs = pq.read_table(path, partitioning=None)
    assert [column.name for column in found.columns] == theirs.column_names
    assert [column.type for column in found.columns] == [str(field.type) for field in theirs.schema]
    for index, expected in enumerate(theirs.columns):
        assert text.column(index).null_count == 0  # every field is REQUIRED; what is missing is ''
        assert pc.cast(text.column(index), expected.type).equals(expected)


@pytest.mark.parametrize("name", PLAIN_CSV)
def test_a_csv_file_reads_as_python_reads_it(name: str) -> None:
    path = DATA / name
    found = parsed(path)
    with path.open(encoding="utf-8-sig", newline="") as lines:
        header, *rows = csv.reader(lines, strict=True)
    assert [column.name for column in found.columns] == header
    assert emptied(rows_of(found)) == rows
    assert rows


def test_a_csv_file_of_a_header_alone_has_no_rows() -> None:
    found = parsed(DATA / "cur" / "koku" / "empty_frame.csv")
    assert found.columns
    assert rows_of(found) == []


def test_the_generated_bucket_has_the_rows_and_columns_its_generator_counted() -> None:
    truth = json.loads((DATA / "nise" / "GROUND_TRUTH.json").read_text())
    counted = {one["key"]: (one["rows"], one["cols"]) for one in truth}
    assert {key: _size(parsed(DATA / "nise" / key)) for key in counted} == counted


def _size(found: ParsedFile) -> tuple[int, int]:
    return sum(batch.num_rows for batch in found.batches), len(found.columns)


def test_a_generated_gzip_file_reads_as_python_reads_it() -> None:
    path = next((DATA / "nise").glob("exports/aws/*/20250701-20250801/*/*-2.csv.gz"))
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines, strict=True)
    found = parsed(path)
    assert [column.name for column in found.columns] == header
    assert emptied(rows_of(found)) == rows
