"""Bad and odd compressed files and CSV texts."""

import bz2
import gzip
import io
import zipfile
from dataclasses import replace

from tests.ingestion.bad_inputs.cases import SECRET, Accepted, Case, Refused

TEXT = b"a,b\n" + f"{SECRET},2\n".encode() * 50
GZ = gzip.compress(TEXT, mtime=0)
ROWS: list[list[str | None]] = [[SECRET, "2"]] * 50
OBJECT = ("object_bytes_read",)
PLACE = ("text_byte", "excerpt")


def zipped(method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return archive.getvalue()


def flipped(data: bytes, position: int) -> bytes:
    copy = bytearray(data)
    copy[position] ^= 0xFF
    return bytes(copy)


def sealed(archive: bytes) -> bytes:
    """A zip whose headers say that it is encrypted."""
    copy = bytearray(archive)
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        copy[copy.index(header) + flags] |= 1
    return bytes(copy)


def gz(body: bytes, says: str, evidence: tuple[str, ...] = OBJECT) -> Refused:
    return Refused("f.csv.gz", body, "corrupt_gzip", says, evidence=evidence)


def cut(body: bytes) -> Refused:
    """A gzip stream that ends early: believed when it comes a second time."""
    return replace(gz(body, "cut short"), looks=2)


def zip_(body: bytes, says: str, evidence: tuple[str, ...] = ()) -> Refused:
    return Refused("f.csv.zip", body, "corrupt_zip", says, evidence=evidence)


COMPRESSED: dict[str, Case] = {
    "gzip-cut-in-its-body": cut(GZ[:-20]),
    "gzip-cut-in-its-header": cut(GZ[:6]),
    "gzip-of-one-byte": cut(GZ[:1]),
    "gzip-without-trailer": cut(GZ[:-8]),
    "gzip-with-its-second-member-cut": cut(GZ + GZ[:-9]),
    "gzip-with-a-wrong-crc": gz(flipped(GZ, -8), "damaged"),
    "gzip-with-a-wrong-length": gz(flipped(GZ, -1), "damaged"),
    "gzip-with-a-damaged-body": gz(flipped(GZ, 14), "damaged"),
    "gzip-with-garbage-behind": gz(
        GZ + SECRET.encode(), "bytes after the end", ("object_bytes_read", "excerpt")
    ),
    "gzip-twice": gz(gzip.compress(GZ), "compressed twice", ()),
    "gzip-of-a-zip": gz(gzip.compress(zipped(a=TEXT)), "compressed twice", ()),
    "gzip-of-a-parquet": gz(gzip.compress(b"PAR1" + TEXT), "Parquet file compressed once more", ()),
    "bzip2-named-gz": gz(bz2.compress(TEXT), "neither gzip nor text", PLACE),
    "zip-cut": replace(zip_(zipped(a=TEXT)[:-5], "damaged", OBJECT), looks=2),
    "zip-cut-in-its-file": replace(zip_(zipped(a=TEXT)[:40], "damaged", OBJECT), looks=2),
    "zip-with-a-wrong-crc": zip_(
        zipped(zipfile.ZIP_STORED, a=TEXT).replace(b"a,b", b"a,c", 1), "damaged", OBJECT
    ),
    "zip-of-two-files": zip_(zipped(a=TEXT, b=TEXT), "holds 2 files"),
    "zip-of-nothing": zip_(zipped(), "holds 0 files"),
    "zip-encrypted": zip_(sealed(zipped(a=TEXT)), "encrypted"),
    "zip-of-bzip2": zip_(zipped(zipfile.ZIP_BZIP2, a=TEXT), "other than deflate"),
    "zip-of-a-gzip": zip_(zipped(a=GZ), "compressed twice"),
    "nothing.gz": Refused("f.csv.gz", b"", "empty_object", "no bytes at all"),
    "nothing.csv": Refused("f.csv", b"", "empty_object", "no bytes at all"),
    "nothing.zip": Refused("f.csv.zip", b"", "empty_object", "no bytes at all"),
    "nothing.parquet": Refused("f.snappy.parquet", b"", "empty_object", "no bytes at all"),
    "members-one-after-the-other": Accepted(
        "f.csv.gz", gzip.compress(TEXT[:31]) + gzip.compress(b"") + gzip.compress(TEXT[31:]), ["a", "b"], ROWS
    ),
    "zeros-behind-the-gzip": Accepted("f.csv.gz", GZ + b"\0" * 600, ["a", "b"], ROWS),
    "text-named-gz": Accepted("f.csv.gz", TEXT, ["a", "b"], ROWS),
    "zip-named-gz": Accepted("f.csv.gz", zipped(a=TEXT), ["a", "b"], ROWS),
    "gzip-named-csv": Accepted("f.csv", GZ, ["a", "b"], ROWS),
    "gzip-of-nothing": Accepted("f.csv.gz", gzip.compress(b""), [], []),
    "zip-of-one-file-and-a-folder": Accepted(
        "f.csv.zip", zipped(**{"d/": b"", "d/a": TEXT}), ["a", "b"], ROWS
    ),
}


def csv(body: bytes, code: str, says: str, row: int | None = None, column: str = "") -> Refused:
    return Refused("f.csv", body, code, says, row, column, PLACE)


HEAD = b"a,b\nSecret,2\n"
WIDE = [f"column {number} " + "x" * 70 for number in range(1700)]
CSV: dict[str, Case] = {
    "open-quote": csv(HEAD + b'Secret,"4\n5,6\n', "bad_csv", "Row 2 opens a quote", 2),
    "open-quote-closed-in-a-later-row": csv(
        HEAD + b'Secret,"4\n5,"6"\n', "bad_csv", "Row 2 has text after", 2
    ),
    "text-after-a-closing-quote": csv(HEAD + b'"Secret"x,4\n', "bad_csv", "Row 2 has text after", 2),
    "open-quote-in-the-header": csv(b'"a,b\n1,2\n', "bad_csv", "header is not well-formed"),
    "nul": Refused(
        "f.csv", HEAD + b"3,Secret\0\n", "nul_character", "Row 2, column 'b'", 2, "b", ("excerpt",)
    ),
    "nul-in-the-header": csv(b"a,b\0\n1,2\n", "nul_character", "header holds the NUL"),
    "invalid-utf8": csv(
        HEAD + b"3,4\n5,Secret\xff\n", "not_utf8", "Row 3 is not UTF-8, in column 'b'", 3, "b"
    ),
    "latin-1-header": csv("preis,währung\n".encode("latin-1"), "not_utf8", "header is not UTF-8 (byte 7)"),
    "utf-16": csv("a,b\nSecret,2\n".encode("utf-16"), "not_utf8", "UTF-16"),
    "utf-16-without-a-mark": csv(
        "a,b\nSecret,2\n".encode("utf-16-le"), "nul_character", "header holds the NUL"
    ),
    "row-too-short": csv(HEAD + b"Secret\n4,5\n", "ragged_row", "Row 2 has 1 values; the header has 2", 2),
    "row-too-long": csv(HEAD + b"\nSecret,4,5\n", "ragged_row", "Row 2 has 3 values; the header has 2", 2),
    "line-of-blanks": csv(HEAD + b"   \n4,5\n", "ragged_row", "Row 2 has 1 values", 2),
    "column-without-a-name": csv(b"a,,c\nSecret,2,3\n", "nameless_column", "Column 2 of 3 has no name"),
    "blank-first-line": Refused("f.csv", b"\n" + HEAD, "nameless_column", "first line"),
    "byte-order-mark-and-nothing-else": csv(b"\xef\xbb\xbf", "empty_object", "byte order mark"),
    "byte-order-mark": Accepted("f.csv", b"\xef\xbb\xbf" + HEAD, ["a", "b"], [["Secret", "2"]]),
    "crlf": Accepted("f.csv", b'a,b\r\n"x\r\ny",2\r\n"\r",""\r\n', ["a", "b"], [["x\r\ny", "2"], ["\r", ""]]),
    "lone-carriage-returns": Accepted(
        "f.csv", b"a,b\r1,2\r3,4\r", ["a", "b"], [["1", "2"], ["3", "4"]], lone_returns=3
    ),
    "header-only": Accepted("f.csv", b"a,b\n", ["a", "b"], []),
    "header-without-a-line-end": Accepted("f.csv", b"a,b", ["a", "b"], []),
    "the-same-name-twice": Accepted(
        "f.csv", b"a,b,a\n1,2,3\n", ["a", "b", "a"], [["1", "2", "3"]], repeated=("a",)
    ),
    "blank-lines": Accepted("f.csv", b"a,b\n\n1,2\n\n\n3,4\n\n", ["a", "b"], [["1", "2"], ["3", "4"]], 4),
    "nothing-or-an-empty-text": Accepted("f.csv", b'a,b,c\n,"",x\n', ["a", "b", "c"], [[None, "", "x"]]),
    "postgresqls-end-of-copy": Accepted("f.csv", b"a\n1\n\\.\n2\n", ["a"], [["1"], ["\\."], ["2"]]),
    "quote-within-a-value": Accepted("f.csv", b'a,b\n3" pipe,2\n', ["a", "b"], [['3" pipe', "2"]]),
    "spreadsheet-formula": Accepted("f.csv", b"a,b\n=1+1,@x\n", ["a", "b"], [["=1+1", "@x"]]),
    "columns-and-names-beyond-postgresqls": Accepted(
        "f.csv", (",".join(WIDE) + "\n" + ",".join(["1"] * 1700)).encode(), WIDE, [["1"] * 1700]
    ),
    "value-beyond-pythons-limit": Accepted(
        "f.csv", b"a,b\n1," + b"x" * 200_000, ["a", "b"], [["1", "x" * 200_000]]
    ),
}
