"""What step 5 takes and gives: a source of bytes and its limits in, columns and batches of text out."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file: its name exactly as there, and its Arrow type as text ("string" in CSV)."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Oddities:
    """What is odd about a file and no fault; told by its receipt.

    `blank_lines`: lines of a CSV file that hold nothing and were passed over. `lone_returns`: lines that a
    carriage return ends without a line feed. `repeated_names`: of columns that share one, each once.
    """

    blank_lines: int = 0
    lone_returns: int = 0
    repeated_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost. `ratio` is judged once `ratio_from` bytes are decompressed.

    gzip cannot exceed 1032; real exports stay below 60, and have some hundred columns.
    """

    row_bytes: int = 64 * 2**20
    value_bytes: int = 16 * 2**20
    columns: int = 10_000
    rows: int = 10**9
    total_bytes: int = 2**40
    ratio: int = 500
    ratio_from: int = 2**30
    batch_bytes: int = 2 * 2**20


class Source(Protocol):
    """A seekable binary reader. Reading on costs nothing extra, a seek elsewhere costs a request.

    CSV and gzip never seek; zip and Parquet do. Whoever opened the source closes it.
    """

    def read(self, size: int = -1, /) -> bytes: ...

    def seek(self, offset: int, whence: int = 0, /) -> int: ...


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file whose columns are known and whose rows are read as `batches` is iterated, once.

    Every column of a batch is `pa.string()`, in the file's order, named "0", "1", ...; NULL only where the
    file has no value. Iterating raises the leaves of BadFileError, and the source's own errors unchanged.
    `bytes_decoded` tells how many bytes were decompressed (Parquet: produced) so far, `oddities` what was odd
    about them.
    """

    format: str
    compression: str
    columns: tuple[Column, ...]
    batches: Iterator[pa.RecordBatch]
    parser: str
    bytes_decoded: Callable[[], int]
    oddities: Callable[[], Oddities]


def repeated_names(columns: tuple[Column, ...]) -> tuple[str, ...]:
    """The names that more than one column has, in the file's order."""
    counted = Counter(column.name for column in columns)
    return tuple(name for name, count in counted.items() if count > 1)
