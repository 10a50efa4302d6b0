"""Parquet columns come back as text from which the very values can be had again."""

import base64
import datetime as dt
import decimal
import io
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_bytes import parse_bytes, read, rows_of

from ingestion.formats.as_text import as_text

D = decimal.Decimal
UTC = dt.UTC


def parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def texts(array: pa.Array) -> list[str | None]:
    """The values of one column, through a real file."""
    _, rows = read(parquet(pa.table([array], names=["c"])), "part.parquet")
    return [row[0] for row in rows]


def optional(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    return st.lists(st.none() | values, max_size=10)


NAIVE = st.datetimes()  # of the years 1 to 9999
NANOSECONDS = st.integers(-(2**62), 2**63 - 1)
CAST_BACK = {
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-128, 127),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float16(): st.floats(width=16, allow_nan=False).map(np.float16),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): st.floats(allow_nan=False),
    pa.decimal128(38, 18): st.decimals(-(10**19), 10**19, places=18),
    pa.decimal256(60, 20): st.decimals(-(10**19), 10**19, places=20),
    pa.timestamp("ms"): NAIVE.map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ),
    pa.timestamp("us", "UTC"): NAIVE,
    pa.timestamp("us", "Europe/Berlin"): NAIVE.filter(lambda moment: 1 < moment.year < 9999),
    pa.timestamp("ns"): NANOSECONDS,
    pa.timestamp("ns", "UTC"): NANOSECONDS,
    pa.date32(): st.dates(),
    pa.string(): st.text(),
    pa.large_string(): st.text(),
    pa.string_view(): st.text(),
}


@pytest.mark.parametrize("kind", CAST_BACK, ids=str)
def test_text_casts_back_to_the_values_the_file_holds(kind: pa.DataType) -> None:
    @given(optional(CAST_BACK[kind]))
    @settings(max_examples=60, deadline=None)
    def check(values: list[object]) -> None:
        array = pa.array(values, kind)
        text = as_text(array, "c", 0)
        assert text.type == pa.string()
        assert text.is_null().equals(array.is_null())
        if pa.types.is_float16(kind):
            text = text.cast(pa.float32())  # Arrow has no way from text to a half
        assert text.cast(kind).equals(array)

    check()


def test_every_flat_type_reads_through_a_file_as_an_independent_reader_has_it() -> None:
    table = pa.table(
        {
            "int": pa.array([1, None, -5], pa.int32()),
            "bool": [True, False, None],
            "double": [0.1, 1e22, None],
            "decimal": pa.array([D("1.10"), None, D("-0.05")], pa.decimal128(20, 2)),
            "ms": pa.array([dt.datetime(2018, 10, 1, tzinfo=UTC), None, None], pa.timestamp("ms", "UTC")),
            "date": [dt.date(2024, 2, 29), None, dt.date(1, 1, 1)],
            "text": ["", None, 'q"\n'],
            "dictionary": pa.array(["x", None, "y"]).dictionary_encode(),
        }
    )
    data = parquet(table)
    parsed = parse_bytes(data, "part.snappy.parquet")
    theirs = pq.read_table(io.BytesIO(data))
    for index, column in enumerate(zip(*rows_of(parsed), strict=True)):
        back = pa.array(column, pa.string()).cast(theirs.schema.field(index).type)
        assert back.to_pylist() == theirs.column(index).to_pylist()
    assert [column.type for column in parsed.columns] == [str(field.type) for field in theirs.schema]
    assert (parsed.format, parsed.compression) == ("parquet", "snappy")


def test_doubles_are_in_shortest_round_trip_form() -> None:
    numbers = [0.1, -0.0, 5.0, 1e22, 1e-7, 5e-324, math.nan, math.inf, -math.inf]
    assert texts(pa.array(numbers)) == ["0.1", "-0", "5", "1e+22", "1e-7", "5e-324", "nan", "inf", "-inf"]
    assert texts(pa.array([0.1], pa.float32())) == ["0.1"]
    assert texts(pa.array([np.float16(0.1)], pa.float16())) == ["0.099975586"]


def test_decimals_are_exact() -> None:
    values = [D("0.000000000000000001"), D("12345678901234567890.123456789012345678"), D("1.10")]
    assert [D(text) for text in texts(pa.array(values, pa.decimal128(38, 18)))] == values


def test_zoned_timestamps_are_written_in_utc_with_every_digit() -> None:
    nanoseconds = pa.array([1234567890123456789], pa.int64())
    assert texts(nanoseconds.cast(pa.timestamp("ns", "Europe/Berlin"))) == ["2009-02-13 23:31:30.123456789Z"]
    assert texts(nanoseconds.cast(pa.timestamp("ns"))) == ["2009-02-13 23:31:30.123456789"]


def test_int96_timestamps_of_any_year_are_read() -> None:
    moments = ["9999-12-31 00:00:00.000000", "2024-01-01 00:00:00.123456", None]
    array = pa.array(moments).cast(pa.timestamp("us"))
    data = parquet(pa.table({"t": array}), use_deprecated_int96_timestamps=True)
    assert [row[0] for row in read(data, "x.parquet")[1]] == moments


def test_times_and_durations_keep_their_unit() -> None:
    assert texts(pa.array([1], pa.time64("ns"))) == ["00:00:00.000000001"]
    assert texts(pa.array([86_399_999], pa.time32("ms"))) == ["23:59:59.999"]
    assert texts(pa.array([-5, None], pa.duration("us"))) == ["-5", None]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary(3)], ids=str)
def test_binaries_are_base64(kind: pa.DataType) -> None:
    values = [b"\x00\xff\x10", None, b"abc"]
    encoded = texts(pa.array(values, kind))
    assert [one and base64.b64decode(one) for one in encoded] == values


def test_an_extension_type_is_written_as_what_it_stores() -> None:
    identifier = b"0123456789abcdef"
    array = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([identifier, None], pa.binary(16)))
    assert texts(array) == [base64.b64encode(identifier).decode(), None]


def test_a_column_of_nothing_is_null_throughout() -> None:
    assert texts(pa.nulls(3)) == [None, None, None]


def test_null_and_the_empty_string_stay_apart() -> None:
    assert texts(pa.array(["", None, "x"])) == ["", None, "x"]
    assert texts(pa.array(["", None, "", None]).dictionary_encode()) == ["", None, "", None]


def test_duplicate_column_names_keep_their_places() -> None:
    table = pa.table([pa.array(["1"]), pa.array([2]), pa.array(["3"])], names=["x", "y", "x"])
    assert read(parquet(table), "x.parquet") == (["x", "y", "x"], [["1", "2", "3"]])


def test_a_file_without_rows_has_its_columns_all_the_same() -> None:
    empty = pa.table({"a": pa.array([], pa.string()), "m": pa.array([], pa.map_(pa.string(), pa.string()))})
    assert read(parquet(empty), "x.parquet") == (["a", "m"], [])


@pytest.mark.parametrize("batch_bytes", [1, 500, 4 * 2**20])
def test_rows_keep_their_order_over_row_groups_and_batches(batch_bytes: int) -> None:
    table = pa.table({"n": range(1000), "s": [f"value {number % 7}" for number in range(1000)]})
    expected = [[str(number), f"value {number % 7}"] for number in range(1000)]
    data = parquet(table, row_group_size=300, data_page_size=200)
    assert read(data, "x.parquet", batch_bytes=batch_bytes)[1] == expected


def test_strings_that_outgrow_their_dictionary_are_read_all_the_same() -> None:
    values = [f"{number:020}" for number in range(5000)] * 2
    data = parquet(pa.table({"s": values}), dictionary_pagesize_limit=1000, data_page_size=3000)
    assert [row[0] for row in read(data, "x.parquet")[1]] == values


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
def test_every_codec_is_read_and_named(codec: str) -> None:
    parsed = parse_bytes(parquet(pa.table({"a": ["x"]}), compression=codec), "x.parquet")
    assert (rows_of(parsed), parsed.compression) == ([["x"]], codec)
