"""Parses a mutant and judges what came of it."""

import csv
import gzip
import io
import zlib
from functools import lru_cache
from itertools import chain

from ingestion.errors import BadFileError
from ingestion.pipeline.parse import Limits, parse
from tests.fuzz.mutants import Mutant, mutant
from tests.fuzz.originals import Guard, Original, checked_spans

SAME, RIGHT, UNGUARDED, WRONG, OVER = (
    "loaded, as the original",
    "loaded, as an independent reader reads it",
    "loaded, not as the original: nothing in the file could tell",
    "WRONG ROWS",
    "REFUSED, WHILE AN INDEPENDENT READER READS IT",
)
FINDINGS = (WRONG, OVER, "TRACEBACK", "OUT OF MEMORY", "HANG", "CRASH")
# A mutant may be short of memory only where KCX asks for much more than any original takes.
LIMITS = Limits(row_bytes=8 * 2**20, total_bytes=2**30)

Table = tuple[list[str], list[list[str]]]

csv.field_size_limit(2**31 - 1)


def verdict(original: Original, seed: int) -> str:
    """What became of one mutant: an error's code, or one of the sentences above."""
    damaged = mutant(original.data, seed)
    try:
        found = rows(damaged.data, original.name)
    except BadFileError as error:
        return _refused(original, damaged.data, error)
    except MemoryError:
        return "OUT OF MEMORY"
    except Exception as error:  # noqa: BLE001  # what this looks for
        return f"TRACEBACK {type(error).__name__}: {str(error)[:100]}"
    return SAME if found == of_original(original) else _loaded(original, damaged, found)


def _loaded(original: Original, damaged: Mutant, found: Table) -> str:
    if original.name.endswith(".csv"):
        return RIGHT if found == by_python(damaged.data) else WRONG
    if original.guard is Guard.ALL and found == by_python(_unzipped(damaged.data)):
        return RIGHT  # cut between two members: each is whole
    return WRONG if _is_guarded(original, damaged.at) else UNGUARDED


def rows(data: bytes, name: str) -> Table:
    """Column names and rows, NULL as ''."""
    parsed = parse(lambda: io.BytesIO(data), name, LIMITS)
    batches = (zip(*(column.to_pylist() for column in one.columns), strict=True) for one in parsed.batches)
    names = [column.name for column in parsed.columns]
    return names, [[cell or "" for cell in row] for row in chain.from_iterable(batches)]


@lru_cache(maxsize=4)
def of_original(original: Original) -> Table:
    """What the file holds undamaged."""
    return rows(original.data, original.name)


def by_python(data: bytes) -> Table | None:
    """What Python's strict reader makes of a CSV; None where it, or the shape of the table, is amiss."""
    try:
        text = data.decode("utf-8-sig")
        header, *found = list(csv.reader(io.StringIO(text, newline=""), strict=True)) if text else [[]]
    except (csv.Error, UnicodeDecodeError, ValueError):
        return None
    kept = [row or [""] for row in found if row or len(header) == 1]
    fits = (header or not text) and all(header) and all(len(row) == len(header) for row in kept)
    return (header, kept) if fits else None


def _unzipped(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""


def _refused(original: Original, data: bytes, error: BadFileError) -> str:
    if original.name.endswith(".csv") and error.code in {"bad_csv", "ragged_row"} and by_python(data):
        return OVER
    return error.code


@lru_cache(maxsize=4)
def _spans(data: bytes) -> list[tuple[int, int]]:
    return checked_spans(data)


def _is_guarded(original: Original, at: int | None) -> bool:
    """Is there a checksum in the file that the damage must have broken?"""
    if original.guard is not Guard.PAGES or at is None:
        return original.guard is Guard.ALL
    return any(begin <= at < end for begin, end in _spans(original.data))
