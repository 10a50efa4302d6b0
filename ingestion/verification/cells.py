"""Compares the cells of one batch of a file with the rows that are stored for it."""

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from ingestion.verification.report import Difference, shown

Cells = Sequence[str | None]


def batch_differences(
    first: int, names: Sequence[str], batch: pa.RecordBatch, stored: Mapping[int, Cells]
) -> Iterator[Difference]:
    """Every cell of `batch`, whose first row has number `first`, that is not stored as it is there.

    `names` are the file's columns; `stored` has the stored rows of these numbers. NULL is not ''.
    """
    rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
    for number, cells in enumerate(rows, first):
        found = stored.get(number)
        if found is None:
            yield Difference("row_missing", f"Row {number} is not stored.", number)
        elif tuple(found) != cells:
            yield from _row_differences(number, names, cells, found)


def _row_differences(number: int, names: Sequence[str], cells: Cells, found: Cells) -> Iterator[Difference]:
    if len(found) != len(cells):
        yield Difference(
            "row_width", f"Row {number} is stored with {len(found)} cells, the file has {len(cells)}.", number
        )
        return
    for name, expected, value in zip(names, cells, found, strict=True):
        if expected != value:
            sentence = f"Row {number}, column {name!r}: {shown(value)} stored, {shown(expected)} in the file."
            yield Difference("cell", sentence, number, name)
