"""Arrow batches become PostgreSQL rows, and the digest is that of the rows as the database gives them out."""

import hashlib
import itertools
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.encode import RowEncoder
from billing.errors import NulInRow, RowOverCap
from billing.partitions import create_partition
from billing.read import rows_after, rows_digest
from billing.write import copy_rows
from tests.billing.raw_rows import ENOUGH, Row, batch_of, payload

pytestmark = pytest.mark.django_db(transaction=True)

CONNECTION = 7
file_ids = itertools.count(1)
# Everything arrays find special in PostgreSQL, and any Unicode that text can hold.
CELLS = st.none() | st.one_of(
    st.sampled_from(["", "NULL", "{}", '"', "\\", ",", "\\N", "\n"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10),
)


@pytest.fixture
def partition(raw_database: None) -> None:
    create_partition(CONNECTION)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[list[str | None]]]:
    columns = draw(st.integers(1, 4))
    return columns, draw(st.lists(st.lists(CELLS, min_size=columns, max_size=columns), max_size=9))


def copied(batches: Sequence[pa.RecordBatch]) -> tuple[int, RowEncoder]:
    """Store the batches as a new file; its id, and the encoder that counted."""
    file_id = next(file_ids)
    encoder = RowEncoder(CONNECTION, file_id, ENOUGH)
    copy_rows(CONNECTION, payload(encoder, batches))
    return file_id, encoder


def encoded(*batches: pa.RecordBatch, cap: int = ENOUGH) -> RowEncoder:
    encoder = RowEncoder(CONNECTION, 1, cap)
    for data in payload(encoder, batches):
        assert isinstance(data, bytes)
    return encoder


@given(tables(), st.lists(st.integers(0, 9), max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_reads_back_exactly_and_its_digest_is_the_databases_own(
    partition: None, table: tuple[int, list[list[str | None]]], cuts: list[int]
) -> None:
    columns, rows = table
    whole = batch_of(rows, columns)
    ends = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    slices = [whole.slice(start, end - start) for start, end in itertools.pairwise(ends)]

    file_id, encoder = copied(slices)

    assert [row.values for row in rows_after(CONNECTION, file_id)] == rows
    assert encoder.rows == len(rows)
    assert encoder.digest == rows_digest(CONNECTION, file_id)


def test_the_digest_is_of_every_byte_of_the_copy() -> None:
    encoder = RowEncoder(CONNECTION, 1, ENOUGH)
    sent = b"".join(payload(encoder, [batch_of([["a", None], ["", "b"]])]))
    assert sent.startswith(b"PGCOPY\n\xff\r\n\0")
    assert encoder.digest == hashlib.sha256(sent).hexdigest()


@pytest.mark.parametrize("other", [[["a"], [""]], [["a"], ["null"]], [[None], ["a"]], [["a"]]])
def test_the_digest_tells_apart_what_differs_in_one_cell(other: list[Row]) -> None:
    assert encoded(batch_of([["a"], [None]])).digest != encoded(batch_of(other)).digest


def test_no_batch_and_an_empty_batch_are_both_no_rows(partition: None) -> None:
    for batches in ([], [batch_of([], columns=2)]):
        file_id, encoder = copied(batches)
        assert encoder.rows == 0
        assert encoder.digest == rows_digest(CONNECTION, file_id)


def test_a_file_without_columns_has_no_rows_and_a_batch_without_columns_is_refused() -> None:
    assert encoded().rows == 0
    with pytest.raises(ValueError, match="at least one array"):
        encoded(batch_of([["a"]]).select([]))


def test_row_numbers_go_on_from_batch_to_batch(partition: None) -> None:
    file_id, _ = copied([batch_of([["a"], ["b"]]), batch_of([], columns=1), batch_of([["c"]])])
    stored = [(row.row_number, row.values) for row in rows_after(CONNECTION, file_id)]
    assert stored == [(1, ["a"]), (2, ["b"]), (3, ["c"])]


def test_a_nul_is_named_by_its_row_in_the_file_and_its_column() -> None:
    first, second = batch_of([["a", "b", "c"]] * 3), batch_of([["a", "b", "c"], ["d", "e", "f\0"]])
    with pytest.raises(NulInRow) as caught:
        encoded(first, second)
    assert (caught.value.row_number, caught.value.column) == (5, 2)


def test_a_nul_outside_a_slice_is_not_this_slices() -> None:
    whole = batch_of([["\0"], ["a"], ["\0"]])
    assert encoded(whole.slice(1, 1)).rows == 1


def test_a_nul_beneath_a_null_is_not_data(partition: None) -> None:
    text, offsets = (
        pa.py_buffer(b"a\0b"),
        pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0])),
    )
    null_in_the_middle = pa.Array.from_buffers(pa.string(), 3, [pa.py_buffer(b"\x05"), offsets, text])
    file_id, _ = copied([pa.record_batch({"c": null_in_the_middle})])
    assert [row.values for row in rows_after(CONNECTION, file_id)] == [["a"], [None], ["b"]]


def test_a_row_over_the_cap_is_named_and_one_at_the_cap_is_not() -> None:
    rows = [["é", "x"], ["12", "3"], [None, "123"]]
    assert encoded(batch_of(rows), batch_of(rows), cap=3).rows == 6
    with pytest.raises(RowOverCap) as caught:
        encoded(batch_of(rows), batch_of([["a", "b"], ["éé", None]]), cap=3)
    assert (caught.value.row_number, caught.value.column) == (5, None)


def test_the_cap_counts_the_rows_of_a_slice_only() -> None:
    whole = batch_of([["long enough"], ["a"], ["long enough"]])
    assert encoded(whole.slice(1, 1), cap=1).rows == 1
