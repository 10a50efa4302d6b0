"""Files at and beyond each cap, with caps small enough to be reached in a test."""

import gzip
import random

import pyarrow as pa

from tests.builders import parquet
from tests.ingestion.bad_inputs.cases import Accepted, Case, Refused
from tests.ingestion.bad_inputs.texts import PLACE, zipped

CAPS = {
    "KCX_MAX_ROW_BYTES": 2_000,
    "KCX_MAX_VALUE_BYTES": 1_000,
    "KCX_MAX_COLUMNS": 5,
    "KCX_MAX_ROWS": 100,
    "KCX_MAX_DECODED_BYTES": 100_000,
    "KCX_MAX_RATIO": 20,
    "KCX_MAX_RATIO_FROM_BYTES": 20_000,
}
WIDE_ROW = ("row_bytes", "value_bytes", "excerpt")
METERED = ("object_bytes_read", "bytes_decoded")
NOISE = random.Random(1).randbytes(60_000).hex()


def csv(rows: list[list[str]]) -> bytes:
    return b"".join(",".join(row).encode() + b"\n" for row in rows)


def columns(rows: list[list[str]]) -> bytes:
    return parquet(
        pa.Table.from_arrays([pa.array(one) for one in zip(*rows[1:], strict=True)], names=rows[0])
    )


def both(title: str, rows: list[list[str]], **refusal: object) -> dict[str, Case]:
    """The same table as CSV and as Parquet."""
    made: dict[str, Case] = {}
    for name, body in (("f.csv", csv(rows)), ("f.parquet", columns(rows))):
        case: Case = Accepted(name, body, rows[0], [list(row) for row in rows[1:]])
        if refusal:
            case = Refused(name, body, **refusal)  # type: ignore[arg-type]
        made[f"{title}-{name}"] = case
    return made


def table(rows: int, width: int, value: str = "1") -> list[list[str]]:
    return [[f"c{number}" for number in range(width)], *([[value] * width] * rows)]


LARGE_VALUE = [*table(3, 2), ["1", "y" * 1001], ["1", "2"]]
BOMB = csv(table(90, 2, "y" * 400))
LARGE: dict[str, Case] = {
    **both("rows-at-the-cap", table(100, 2)),
    "a-row-too-many.csv": Refused("f.csv", csv(table(101, 2)), "too_large", "100 rows (KCX_MAX_ROWS)", 101),
    "a-row-too-many.parquet": Refused(
        "f.parquet", columns(table(101, 2)), "too_large", "101 rows, more than 100 (KCX_MAX_ROWS)"
    ),
    **both("columns-at-the-cap", table(2, 5)),
    **both(
        "a-column-too-many", table(2, 6), code="too_large", says="6 columns, more than 5 (KCX_MAX_COLUMNS)"
    ),
    **both("values-at-the-cap", table(2, 1, "y" * 1000)),
    **both(
        "a-value-too-large",
        LARGE_VALUE,
        code="value_too_large",
        says="Row 4, column 'c1' holds 1,001 bytes, more than 1,000 (KCX_MAX_VALUE_BYTES)",
        row=4,
        column="c1",
        evidence=("value_bytes", "excerpt"),
    ),
    "a-row-too-large.csv": Refused(
        "f.csv", csv(table(1, 3, "y" * 700)), "row_too_large", "Row 1 is larger", 1, "", PLACE
    ),
    "a-row-too-large.parquet": Refused(
        "f.parquet", columns(table(1, 3, "y" * 700)), "row_too_large", "Row 1 is larger", 1, "", WIDE_ROW
    ),
    "a-header-too-large": Refused(
        "f.csv", b"x" * 3000 + b"\n1\n", "row_too_large", "The header is larger", evidence=PLACE
    ),
    "too-many-bytes.csv": Refused(
        "f.csv",
        csv([["a", "b"], *([NOISE[at : at + 900], NOISE[at : at + 900]] for at in range(0, 54_000, 900))]),
        "too_large",
        "KCX_MAX_DECODED_BYTES",
        evidence=METERED,
    ),
    "too-many-bytes.parquet": Refused(
        "f.parquet", columns(table(90, 2, "y" * 900)), "too_large", "KCX_MAX_DECODED_BYTES", evidence=METERED
    ),
    "a-gzip-bomb": Refused("f.csv.gz", gzip.compress(BOMB), "too_large", "KCX_MAX_RATIO", evidence=METERED),
    "a-zip-bomb": Refused("f.csv.zip", zipped(a=BOMB), "too_large", "KCX_MAX_RATIO", evidence=METERED),
    "a-gzip-of-a-line-without-an-end": Refused(
        "f.csv.gz", gzip.compress(b"a\n" + b"x" * 90_000), "row_too_large", "Row 1 is larger", 1, "", PLACE
    ),
}
