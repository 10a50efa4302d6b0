"""Every real file in ../shared/data, from the bucket to rows, compared cell by cell; CSV in exporting/."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from billing.read import rows_after, rows_digest
from ingestion.models import SourceFile
from tests.builders import ClientUnderTest
from tests.conftest import REAL_FILES

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True, databases=["default", "progress"])]

CHUNK = 10_000


def found(*endings: str) -> list[str]:
    """The files with these endings, by their path below the folder."""
    return sorted(
        str(path.relative_to(REAL_FILES)) for path in REAL_FILES.rglob("*") if path.name.endswith(endings)
    )


def ingested(client: ClientUnderTest, path: Path) -> SourceFile:
    key = f"exports/real/{path.name}"
    client.account.put_object(key, path.read_bytes())
    client.ingest()
    file = client.file(key)
    assert file.status == SourceFile.Status.INGESTED, file.error_message
    assert rows_digest(file.connection_id, file.pk) == file.rows_sha256
    return file


def stored(file: SourceFile) -> Iterator[list[list[str | None]]]:
    """The rows in chunks, in order."""
    after = 0
    while chunk := rows_after(file.connection_id, file.pk, after, CHUNK):
        after = chunk[-1].row_number
        yield [row.values for row in chunk]


def assert_stored_as_read(file: SourceFile, body: bytes) -> None:
    """The stored cells of a CSV are those that Python's reader finds in its bytes."""
    reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
    assert file.layout is not None
    assert file.layout.names == next(reader)
    rows = 0
    for chunk in stored(file):
        assert [[cell or "" for cell in row] for row in chunk] == [next(reader) for _ in chunk]
        rows += len(chunk)
    assert next(reader, None) is None
    assert rows == file.row_count


@pytest.mark.parametrize("name", found(".parquet"))
def test_a_real_parquet_is_stored_as_pyarrow_reads_it(
    client_under_test: ClientUnderTest, real_files: Path, name: str
) -> None:
    file = ingested(client_under_test, real_files / name)
    table = pq.read_table(real_files / name)
    assert file.layout is not None
    assert file.layout.names == table.column_names
    start = 0
    for chunk in stored(file):
        for place, column in enumerate(table.slice(start, len(chunk)).columns):
            texts = pa.array([row[place] for row in chunk], pa.string())
            assert texts.cast(column.type).equals(column.combine_chunks()), table.column_names[place]
        start += len(chunk)
    assert start == table.num_rows == file.row_count
