"""A Parquet file of every type: the export has the types and values that a reader finds in the source."""

import datetime as dt
import decimal
import io

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from ingestion.exporting.export import export
from ingestion.exporting.writers import Format
from ingestion.selection import of_file
from tests.builders import ClientUnderTest, parquet

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/typed/all.parquet"
NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 123000, dt.UTC)
TAGS = pa.map_(pa.string(), pa.string())
EVERY_TYPE = pa.table(
    {
        "bool": [True, None, False],
        "int8": pa.array([-128, None, 127], pa.int8()),
        "uint64": pa.array([2**64 - 1, None, 0], pa.uint64()),
        "float": pa.array([0.1, None, -0.0], pa.float32()),
        "double": [1e22, None, 5e-324],
        "decimal": pa.array([decimal.Decimal("1.100000000000000000"), None, -1], pa.decimal128(38, 18)),
        "date": [dt.date(1, 1, 1), None, dt.date(9999, 12, 31)],
        "time": pa.array([dt.time(23, 59, 59, 999999), None, dt.time()], pa.time64("us")),
        "ms": pa.array([NOON, None, NOON], pa.timestamp("ms")),
        "utc": pa.array([NOON, None, NOON], pa.timestamp("us", "UTC")),
        "berlin": pa.array([NOON, None, NOON], pa.timestamp("ns", "Europe/Berlin")),
        "text": ["", None, 'q"\n'],
        "binary": [b"\x00\xff", None, b""],
        "dictionary": pa.array(["x", None, ""]).dictionary_encode(),
        "map": pa.array([[("a", "1"), ("b", None)], None, []], TAGS),
        "list": [[0.1, None], None, []],
        "struct": [{"n": 1, "s": None}, None, {"n": None, "s": ""}],
        "tagged": pa.array([[{"t": [("k", "v")]}], None, [None]], pa.list_(pa.struct([("t", TAGS)]))),
        "nothing": pa.nulls(3),
    }
)


@pytest.mark.parametrize("as_format", [Format.PARQUET, Format.ARROW])
def test_every_type_comes_out_as_it_is_in_the_source(
    client_under_test: ClientUnderTest, as_format: Format
) -> None:
    body = parquet(EVERY_TYPE)
    client_under_test.account.put_object(KEY, body)
    client_under_test.ingest()
    data = io.BytesIO(b"".join(export(of_file(client_under_test.file(KEY).pk), as_format)))
    ours = pq.read_table(data) if as_format is Format.PARQUET else pa.ipc.open_stream(data).read_all()
    source = pq.read_table(io.BytesIO(body))
    at = source.column_names.index("dictionary")
    source = source.set_column(at, "dictionary", source["dictionary"].cast(pa.string()))
    assert [(field.name, field.type) for field in ours.schema] == [
        (field.name, field.type) for field in source.schema
    ]
    for name in source.column_names:
        assert ours[name].combine_chunks().equals(source[name].combine_chunks()), name
