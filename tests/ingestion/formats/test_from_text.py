"""Text and the type's name on the layout give back the very values a Parquet file held."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.formats.as_text import as_text
from ingestion.formats.from_text import from_text
from ingestion.formats.type_names import type_named

NAIVE = st.datetimes()
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
PAIRS = st.lists(st.tuples(TEXTS, st.none() | TEXTS), max_size=3)
DECIMALS = st.decimals(-(10**19), 10**19, places=18)
AWKWARD = pa.struct([("a b,c", pa.int64()), ("d/é", pa.list_(pa.string())), ("f", pa.struct([]))])
CAST_BACK: dict[pa.DataType, st.SearchStrategy[object]] = {
    pa.null(): st.none(),
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-128, 127),
    pa.int64(): INTEGERS,
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float16(): st.floats(width=16, allow_nan=False).map(np.float16),
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.float64(): FLOATS,
    pa.decimal32(5, 2): st.decimals(-900, 900, places=2),
    pa.decimal64(12, 4): st.decimals(-900, 900, places=4),
    pa.decimal128(38, 18): DECIMALS,
    pa.decimal256(60, 20): st.decimals(-(10**19), 10**19, places=20),
    pa.timestamp("s"): NAIVE.map(lambda moment: moment.replace(microsecond=0)),
    pa.timestamp("us"): NAIVE,
    pa.timestamp("ns"): st.integers(-(2**62), 2**63 - 1),
    pa.timestamp("us", "UTC"): NAIVE,
    pa.timestamp("ns", "Europe/Berlin"): st.integers(-(2**62), 2**62),
    pa.date32(): st.dates(),
    pa.date64(): st.dates(),
    pa.time32("s"): st.integers(0, 86_399),
    pa.time32("ms"): st.integers(0, 86_399_999),
    pa.time64("us"): st.times(),
    pa.time64("ns"): st.integers(0, 86_399_999_999_999),
    pa.duration("us"): st.integers(-(2**62), 2**62),
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.string_view(): TEXTS,
    pa.binary(): st.binary(max_size=5),
    pa.large_binary(): st.binary(max_size=5),
    pa.binary_view(): st.binary(max_size=5),
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.map_(pa.string(), pa.string()): PAIRS,
    pa.map_(pa.int32(), pa.field("v", pa.decimal128(38, 18)), keys_sorted=True): st.lists(
        st.tuples(st.integers(0, 9), st.none() | DECIMALS), max_size=3
    ),
    pa.list_(pa.float64()): st.lists(st.none() | FLOATS, max_size=3),
    pa.list_(pa.bool_(), 2): st.lists(st.none() | st.booleans(), min_size=2, max_size=2),
    pa.large_list(pa.field("element", pa.timestamp("us", "UTC"))): st.lists(st.none() | NAIVE, max_size=3),
    pa.list_(pa.map_(pa.string(), pa.list_(pa.int64()))): st.lists(
        st.none() | st.lists(st.tuples(TEXTS, st.none() | st.lists(INTEGERS, max_size=2)), max_size=2),
        max_size=2,
    ),
    AWKWARD: st.fixed_dictionaries(
        {
            "a b,c": st.none() | INTEGERS,
            "d/é": st.none() | st.lists(st.none() | TEXTS, max_size=2),
            "f": st.sampled_from([None, {}]),
        }
    ),
}


@pytest.mark.parametrize("kind", CAST_BACK, ids=str)
def test_values_come_back_by_the_name_of_their_type(kind: pa.DataType) -> None:
    @given(st.lists(st.none() | CAST_BACK[kind], max_size=8))
    @settings(max_examples=40, deadline=None)
    def check(values: list[object]) -> None:
        array = pa.array(values, kind)
        back = from_text(as_text(array, "c", 0), type_named(str(kind)))
        back.validate(full=True)
        assert back.type == kind
        assert back.equals(array)

    check()


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        (pa.dictionary(pa.int32(), pa.string()), pa.string()),
        (pa.dictionary(pa.int8(), pa.decimal128(9, 2)), pa.decimal128(9, 2)),
        (pa.list_view(pa.int8()), pa.list_(pa.int8())),
        (pa.large_list_view(pa.int8()), pa.large_list(pa.int8())),
        (pa.uuid(), pa.uuid()),
        (pa.list_(pa.field("element", pa.int8(), nullable=False)), pa.list_(pa.field("element", pa.int8()))),
        (
            pa.map_(pa.string(), pa.field("x", pa.list_(pa.int8()), nullable=False)),
            pa.map_(pa.string(), pa.field("x", pa.list_(pa.int8()))),
        ),
    ],
    ids=str,
)
def test_some_types_come_back_as_their_plain_kin(kind: pa.DataType, meant: pa.DataType) -> None:
    assert type_named(str(kind)) == meant


@pytest.mark.parametrize(
    "name", ["", "nonsense", "struct<a>", "map<string>", "list<int>", "timestamp[x, tz=UTC]"]
)
def test_a_name_that_means_no_type_leaves_the_text(name: str) -> None:
    assert type_named(name) == pa.string()


def test_an_extension_type_comes_back_as_itself() -> None:
    array = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0123456789abcdef", None], pa.binary(16)))
    assert from_text(as_text(array, "c", 0), type_named(str(array.type))).equals(array)


def test_not_a_number_and_the_infinities_come_back_from_within_a_list() -> None:
    array = pa.array([[float("nan"), float("inf"), None, -0.0]])
    assert str(from_text(as_text(array, "c", 0), array.type).to_pylist()) == "[[nan, inf, None, -0.0]]"


def test_duplicate_keys_of_a_map_stay() -> None:
    array = pa.array([[("a", "1"), ("a", "2")], [], None], pa.map_(pa.string(), pa.string()))
    assert from_text(as_text(array, "c", 0), array.type).equals(array)


@pytest.mark.parametrize(
    "kind", [pa.int64(), pa.bool_(), pa.binary(), pa.list_(pa.int8()), pa.time32("s")], ids=str
)
def test_text_of_another_type_is_refused(kind: pa.DataType) -> None:
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        from_text(pa.array(["x!"]), kind)
