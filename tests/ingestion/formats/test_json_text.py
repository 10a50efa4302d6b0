"""Maps, lists and structs come back as JSON text that holds every value."""

import datetime as dt
import decimal
import io
import json
import math
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_bytes import read

from ingestion.formats.as_text import as_text

D = decimal.Decimal


def texts(array: pa.Array) -> list[str | None]:
    """The values of one column, through a real file."""
    file = io.BytesIO()
    pq.write_table(pa.table([array], names=["c"]), file)
    return [row[0] for row in read(file.getvalue(), "part.parquet")[1]]


def test_a_map_is_an_object_with_its_keys_in_order_and_its_duplicates() -> None:
    values = [[("b", "1"), ("a", None), ("b", "2")], None, []]
    array = pa.array(values, pa.map_(pa.string(), pa.string()))
    assert texts(array) == ['{"b":"1","a":null,"b":"2"}', None, "{}"]


def test_numbers_in_a_map_are_bare_but_what_json_has_no_number_for_is_a_string() -> None:
    array = pa.array(
        [[("a", 1e22), ("b", 5.0), ("n", math.nan), ("i", -math.inf)]], pa.map_(pa.string(), pa.float64())
    )
    assert texts(array) == ['{"a":1e+22,"b":5,"n":"nan","i":"-inf"}']


def test_keys_that_are_no_strings_become_strings() -> None:
    array = pa.array([[(1, True), (2, None)]], pa.map_(pa.int32(), pa.bool_()))
    assert texts(array) == ['{"1":true,"2":null}']


def test_structs_and_lists_nest_in_any_order() -> None:
    kind = pa.list_(pa.struct([("k", pa.string()), ("v", pa.list_(pa.decimal128(5, 2)))]))
    values = [[{"k": "a", "v": [D("1.50"), None]}, None, {"k": None, "v": []}], None, []]
    assert texts(pa.array(values, kind)) == [
        '[{"k":"a","v":[1.50,null]},null,{"k":null,"v":[]}]',
        None,
        "[]",
    ]


def test_times_and_binaries_inside_are_strings() -> None:
    kind = pa.struct([("t", pa.timestamp("ms", "UTC")), ("b", pa.binary()), ("d", pa.date32())])
    value = {"t": dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "b": b"\xff", "d": dt.date(2024, 1, 2)}
    assert texts(pa.array([value], kind)) == ['{"t":"2024-01-01 00:00:00.000Z","b":"/w==","d":"2024-01-02"}']


def test_every_character_survives_and_only_those_json_forbids_are_escaped() -> None:
    text = "".join(chr(code) for code in range(0x80)) + "é\u2028😀"
    (written,) = texts(pa.array([[text]], pa.list_(pa.string())))
    assert written == json.dumps([text], ensure_ascii=False)


KEYS = st.text(max_size=4)
LEAVES = {
    pa.string(): st.text(max_size=6),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.bool_(): st.booleans(),
}
Expect = Callable[[object], object]
Drawn = tuple[pa.DataType, st.SearchStrategy[object], Expect]


@st.composite
def nested(draw: st.DrawFn, depth: int = 3) -> Drawn:
    """A type, its values, and what `loaded` gives for a value."""
    kind, values, expect = draw(nested(depth - 1) if depth > 1 and draw(st.booleans()) else leaves())
    shape = draw(st.sampled_from(["list", "large", "fixed", "map", "struct"]))
    if shape == "map":
        pairs = st.lists(st.tuples(KEYS, values), max_size=3)
        return pa.map_(pa.string(), kind), st.none() | pairs, lambda value: _object(value, expect)
    if shape == "struct":
        record = st.tuples(st.tuples(st.just('n"1'), values), st.tuples(st.just("é"), values)).map(list)
        return (
            pa.struct([('n"1', kind), ("é", kind)]),
            st.none() | record,
            lambda value: _object(value, expect),
        )
    least, most = (2, 2) if shape == "fixed" else (0, 3)
    listed = {"list": pa.list_(kind), "large": pa.large_list(kind), "fixed": pa.list_(kind, 2)}[shape]
    return (
        listed,
        st.none() | st.lists(values, min_size=least, max_size=most),
        lambda value: _array(value, expect),
    )


@st.composite
def leaves(draw: st.DrawFn) -> Drawn:
    kind = draw(st.sampled_from(list(LEAVES)))
    return kind, st.none() | LEAVES[kind], lambda value: value


def _object(pairs: object, expect: Expect) -> object:
    return None if pairs is None else ("object", [(key, expect(value)) for key, value in pairs])


def _array(values: object, expect: Expect) -> object:
    return None if values is None else [expect(value) for value in values]


def loaded(text: str | None) -> object:
    """The JSON's value, objects as their pairs."""
    return None if text is None else json.loads(text, object_pairs_hook=lambda pairs: ("object", pairs))


@given(st.data(), nested(), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=300, deadline=None)
def test_any_nested_value_reads_back_from_its_json_also_from_a_slice(
    data: st.DataObject, drawn: Drawn, skipped: int, dropped: int
) -> None:
    kind, values, expect = drawn
    column = data.draw(st.lists(values, min_size=skipped + dropped, max_size=8))
    end = len(column) - dropped
    array = pa.array(column, kind).slice(skipped, end - skipped)
    found = as_text(array, "c", 0)
    assert [loaded(text) for text in found.to_pylist()] == [expect(value) for value in column[skipped:end]]


def test_json_is_compact() -> None:
    kind = pa.struct([("a", pa.list_(pa.int8())), ("b", pa.map_(pa.string(), pa.string()))])
    assert texts(pa.array([{"a": [1, 2], "b": [("k", "v w")]}], kind)) == ['{"a":[1,2],"b":{"k":"v w"}}']
