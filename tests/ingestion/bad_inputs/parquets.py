"""Bad and odd Parquet files."""

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.builders import parquet
from tests.ingestion.bad_inputs.cases import SECRET, Accepted, Case, Refused

NAME = "f.snappy.parquet"
ROWS = 2000
TABLE = pa.table({"n": range(ROWS), "s": [f"{SECRET} {number}" for number in range(ROWS)]})
WHOLE = parquet(TABLE)
CHECKED = parquet(TABLE, write_page_checksum=True, compression="none", use_dictionary=False)


def bad(
    body: bytes, says: str, row: int | None = None, column: str = "", evidence: tuple[str, ...] = ()
) -> Refused:
    return Refused(NAME, body, "bad_parquet", says, row, column, evidence)


def cut(body: bytes, says: str = "cannot be read", evidence: tuple[str, ...] = ()) -> Refused:
    """What does not begin and end as a Parquet file: believed when it comes a second time."""
    return replace(bad(body, says, evidence=evidence), looks=2)


def unchecked_text(*values: bytes) -> pa.Array:
    """A string column whose bytes nobody checked."""
    stored = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(values), *stored.buffers()[1:])


def number(value: int) -> bytes:
    """A 64-bit field of Thrift's compact protocol that follows the field before it."""
    left, written = value << 1, bytearray([0x16])
    while left >= 0x80:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*written, left])


def with_footer(data: bytes, old: int, new: int, times: int = -1) -> bytes:
    """The file with a number of its footer replaced."""
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8]
    assert number(old) in footer
    footer = footer.replace(number(old), number(new), times)
    return data[: -8 - length] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def bytes_promised(data: bytes) -> int:
    size: int = pq.read_metadata(pa.BufferReader(data)).row_group(0).total_byte_size
    return size


def flipped(data: bytes, position: int) -> bytes:
    copy = bytearray(data)
    copy[position] ^= 1
    return bytes(copy)


def odd(columns: dict[str, pa.Array], rows: list[list[str | None]], **options: object) -> Accepted:
    return Accepted(NAME, parquet(pa.table(columns), **options), list(columns), rows)


FLIPPED_AT = CHECKED.index(f"{SECRET} 7".encode()) + len(SECRET) + 1
PAIRS = pa.map_(pa.string(), pa.string())
STRUCT = pa.struct([("x", pa.float64()), ("y", pa.list_(pa.int64()))])

PARQUET: dict[str, Case] = {
    "cut-in-half": cut(WHOLE[: len(WHOLE) // 2]),
    "three-bytes": cut(WHOLE[:3], "does not start as a Parquet file does", evidence=("excerpt",)),
    "first-four-bytes": cut(WHOLE[:4]),
    "csv-renamed": cut(b"a,b\n1,2\n", "does not start as a Parquet file does", evidence=("excerpt",)),
    "wrong-head": cut(b"XXXX" + WHOLE[4:], "does not start as a Parquet file does", evidence=("excerpt",)),
    "wrong-tail": cut(WHOLE[:-4] + b"XXXX"),
    "footer-longer-than-the-file": cut(WHOLE[:-8] + b"\xff\xff\xff\x7fPAR1"),
    "footer-of-more-rows-than-its-groups": bad(
        with_footer(WHOLE, ROWS, ROWS + 1, 1), "The footer counts 2,001 rows, its row groups 2,000"
    ),
    "footer-of-absurdly-many-rows": Refused(
        NAME, with_footer(WHOLE, ROWS, 2**50), "too_large", "rows, more than 1,000,000,000 (KCX_MAX_ROWS)"
    ),
    "footer-of-absurdly-many-bytes": Refused(
        NAME, with_footer(WHOLE, bytes_promised(WHOLE), 2**50), "too_large", "(KCX_MAX_DECODED_BYTES)"
    ),
    "pages-of-fewer-rows-than-the-footer-says": bad(
        with_footer(WHOLE, ROWS, ROWS + 1), "The footer promises 2,001 rows, the pages hold 2,000"
    ),
    "encrypted": Refused(NAME, b"PARE" + WHOLE[4:-4] + b"PARE", "encrypted_parquet", "encrypted"),
    "one-flipped-byte-in-a-checked-page": bad(
        flipped(CHECKED, FLIPPED_AT), "CRC", evidence=("row_group", "rows_before")
    ),
    "text-not-utf8": Refused(
        NAME,
        parquet(pa.table({"good": ["1", "2", "3"], "bad": unchecked_text(b"a", b"Secret\xff", b"c")})),
        "not_utf8",
        "Row 2 is not UTF-8, in column 'bad'",
        2,
        "bad",
        ("excerpt",),
    ),
    "text-with-nul": Refused(
        NAME,
        parquet(pa.table({"a": ["1", "2"], "b": ["x", "Secret\0"]})),
        "nul_character",
        "Row 2, column 'b'",
        2,
        "b",
        ("excerpt",),
    ),
    "moment-too-far-off": bad(
        parquet(pa.table({"when": pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("ms"))})),
        "Row 2 holds a value that cannot be written, in column 'when'",
        2,
        "when",
    ),
    "column-without-a-name": Refused(
        NAME,
        parquet(pa.table([pa.array([1])], names=[""])),
        "nameless_column",
        "Column 1 of 1 has no name",
        evidence=("column_number", "excerpt"),
    ),
    "no-rows": odd({"a": pa.array([], pa.string())}, []),
    "not-a-number-and-infinity": odd(
        {"v": pa.array([float("nan"), float("inf"), float("-inf"), -0.0, None])},
        [["nan"], ["inf"], ["-inf"], ["-0"], [None]],
    ),
    "exact-decimals": odd(
        {"v": pa.array([Decimal("1.100000000000000000"), None], pa.decimal128(38, 18))},
        [["1.100000000000000000"], [None]],
    ),
    "int96-of-the-year-9999": odd(
        {"v": pa.array([datetime(9999, 12, 31)], pa.timestamp("us"))},  # noqa: DTZ001  # int96 has no zone
        [["9999-12-31 00:00:00.000000"]],
        use_deprecated_int96_timestamps=True,
    ),
    "nanoseconds": odd(
        {"v": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC"))},
        [["2023-11-14 22:13:20.123456789Z"]],
    ),
    "dates-and-booleans": odd(
        {"d": pa.array([date(2026, 3, 1)]), "b": pa.array([True])}, [["2026-03-01", "true"]]
    ),
    "dictionaries-and-large-strings": odd(
        {
            "d": pa.array(["x", "y", "x"]).dictionary_encode(),
            "l": pa.array(["1", None, ""], pa.large_string()),
        },
        [["x", "1"], ["y", None], ["x", ""]],
    ),
    "a-map-with-the-same-key-twice": odd(
        {"m": pa.array([[("k", "1"), ("k", None)], [], None], PAIRS)},
        [['{"k":"1","k":null}'], ["{}"], [None]],
    ),
    "structs-and-lists": odd(
        {"s": pa.array([{"x": 0.5, "y": [1, None]}, None], STRUCT)}, [['{"x":0.5,"y":[1,null]}'], [None]]
    ),
    "binary": odd({"b": pa.array([b"\x00\xff", None], pa.binary())}, [["AP8="], [None]]),
    "the-same-name-twice": Accepted(
        NAME,
        parquet(pa.Table.from_arrays([pa.array(["1"]), pa.array(["2"])], names=["a", "a"])),
        ["a", "a"],
        [["1", "2"]],
        repeated=("a",),
    ),
    "parquet-named-csv.gz": Accepted("f.csv.gz", parquet(pa.table({"a": ["1"]})), ["a"], [["1"]]),
    "many-rows-in-one-group": odd(
        {"a": pa.array(["x" * 50] * 70_000)}, [["x" * 50]] * 70_000, row_group_size=70_000
    ),
}
