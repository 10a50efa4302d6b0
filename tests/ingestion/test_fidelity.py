"""As received: a source table rebuilt from raw rows and layout equals what is in the client's bucket."""

import csv
import io
import itertools
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.read import rows_after, rows_digest
from ingestion.models import SourceFile
from tests.builders import ClientUnderTest, csv_gz, parquet

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

numbers = itertools.count()
# PostgreSQL's text has no NUL, and UTF-8 no surrogates; everything else may stand in a bill.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
awkward = st.sampled_from(
    ["", " ", '"', '""', "a\nb", "a\r\nb", ",", "\\.", "\\N", "NULL", "1.81E-8", "é漢字", "'"]
)
cells = st.none() | texts | awkward
names = texts.filter(bool) | st.sampled_from(["Owner", "OWNER", "a b", "lineItem/UnblendedCost", "x" * 80])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str | None]]]:
    """Column names, duplicates among them, and rows of cells; NULL apart from ''."""
    header = draw(st.lists(names, min_size=2, max_size=5))
    row = st.lists(cells, min_size=len(header), max_size=len(header))
    return header, draw(st.lists(row, max_size=20))


def as_csv(header: list[str], rows: list[list[str | None]]) -> str:
    """RFC 4180, written by hand: every value is quoted, so that an unquoted empty cell is a NULL."""
    lines = [",".join(_quoted(cell) for cell in row) for row in [header, *rows]]
    return "".join(f"{line}\n" for line in lines)


def _quoted(cell: str | None) -> str:
    return "" if cell is None else '"' + cell.replace('"', '""') + '"'


def ingested(client: ClientUnderTest, name: str, body: bytes) -> SourceFile:
    """The file after its ingest; every call writes another key."""
    key = f"exports/tables/{next(numbers)}-{name}"
    client.account.put_object(key, body)
    client.ingest()
    file = client.file(key)
    assert file.status == SourceFile.Status.INGESTED, file.error_message
    assert rows_digest(file.connection_id, file.pk) == file.rows_sha256
    return file


def rebuilt(file: SourceFile) -> tuple[list[str], list[list[str | None]]]:
    """The source table, from the database alone."""
    assert file.layout is not None
    rows = rows_after(file.connection_id, file.pk, limit=1000)
    assert [row.row_number for row in rows] == list(range(1, len(rows) + 1))
    return file.layout.names, [row.values for row in rows]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_any_csv_table_is_rebuilt(
    client_under_test: ClientUnderTest, table: tuple[list[str], list[list[str | None]]]
) -> None:
    file = ingested(client_under_test, "t.csv.gz", csv_gz(as_csv(*table)))
    assert rebuilt(file) == table


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_any_parquet_table_is_rebuilt(
    client_under_test: ClientUnderTest, table: tuple[list[str], list[list[str | None]]]
) -> None:
    header, rows = table
    columns = [pa.array([row[n] for row in rows], pa.string()) for n in range(len(header))]
    file = ingested(client_under_test, "t.parquet", parquet(pa.Table.from_arrays(columns, names=header)))
    assert rebuilt(file) == table


def test_an_independent_reader_agrees(client_under_test: ClientUnderTest) -> None:
    text = 'lineItem/Cost,tags/user:Owner,tags/user:owner\n1.81E-8,"a ""b"", c",\n0.10,"x\r\ny",é\n'
    names, rows = rebuilt(ingested(client_under_test, "t.csv.gz", csv_gz(text)))
    expected = list(csv.reader(io.StringIO(text, newline="")))
    assert names == expected[0]
    assert [[cell or "" for cell in row] for row in rows] == expected[1:]


TYPED: list[tuple[Any, list[Any]]] = [
    (pa.float64(), [0.1, 1e-7, 1e22, -0.0, None]),
    (pa.decimal128(38, 18), ["0.000000000000000001", "1.100000000000000000", None]),
    (pa.timestamp("ms", "UTC"), [0, 1_700_000_000_123, None]),
    (pa.int64(), [-(2**63), 2**63 - 1, None]),
    (pa.bool_(), [True, False, None]),
]


@pytest.mark.parametrize(("kind", "values"), TYPED, ids=[str(kind) for kind, _ in TYPED])
def test_every_typed_value_can_be_cast_back(
    client_under_test: ClientUnderTest, kind: pa.DataType, values: list[Any]
) -> None:
    column = pa.array(values).cast(kind)
    file = ingested(client_under_test, "t.parquet", parquet(pa.table({"v": column})))
    assert file.layout is not None
    assert file.layout.types == [str(kind)]
    _, rows = rebuilt(file)
    assert pa.array([row[0] for row in rows], pa.string()).cast(kind).equals(column)
