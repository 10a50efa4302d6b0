"""Reads bytes as step 5 does, and sources that misbehave."""

import io
from collections.abc import Callable

import pytest

from ingestion.errors import BadFileError
from ingestion.pipeline.parse import Limits, ParsedFile, parse

Row = list[str | None]


def parse_bytes(data: bytes, name: str = "part.csv", **limits: int) -> ParsedFile:
    return parse(lambda: io.BytesIO(data), name, Limits(**limits))


def rows_of(parsed: ParsedFile) -> list[Row]:
    rows: list[Row] = []
    for batch in parsed.batches:
        assert batch.schema.names == [str(index) for index in range(len(parsed.columns))]
        assert {str(kind) for kind in batch.schema.types} <= {"string"}
        columns = [column.to_pylist() for column in batch.columns]
        rows += [list(row) for row in zip(*columns, strict=True)]
    return rows


def read(data: bytes, name: str = "part.csv", **limits: int) -> tuple[list[str], list[Row]]:
    parsed = parse_bytes(data, name, **limits)
    return [column.name for column in parsed.columns], rows_of(parsed)


def refusal(data: bytes, name: str = "part.csv", **limits: int) -> BadFileError:
    return refusal_of(lambda: read(data, name, **limits))


def refusal_of(act: Callable[[], object]) -> BadFileError:
    with pytest.raises(BadFileError) as caught:
        act()
    assert str(caught.value).endswith(".")
    return caught.value


class BreakingSource(io.BytesIO):
    """A source whose reads at or past a byte raise an error."""

    def __init__(self, data: bytes, breaks_at: int, error: Exception) -> None:
        super().__init__(data)
        self._breaks_at = breaks_at
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = len(self.getvalue()) if size is None or size < 0 else size
        if self.tell() + wanted > self._breaks_at:
            raise self._error
        return super().read(size)


class TricklingSource(io.BytesIO):
    """A source that gives at most seven bytes a read and counts the seeks that go elsewhere."""

    seeks = 0

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(7 if size is None or size < 0 else min(size, 7))

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self.seeks += 1
        return super().seek(offset, whence)
