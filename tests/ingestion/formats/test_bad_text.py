"""Every bad text and container of the catalogue is refused by its code, with the row it is about."""

import gzip
import io
import zipfile

import pytest
from reading_bytes import parse_bytes, read, refusal, rows_of

from ingestion.file_errors import RaggedRow

GOOD = b"a,b\n" + b"1,2\n" * 1000
GZ = gzip.compress(GOOD)


def zipped(**members: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return archive.getvalue()


def changed(data: bytes, position: int) -> bytes:
    copy = bytearray(data)
    copy[position] ^= 0xFF
    return bytes(copy)


def test_an_object_of_no_bytes_is_refused_whatever_its_name() -> None:
    for name in ("part.csv.gz", "part.csv", "part.csv.zip", "part.snappy.parquet"):
        assert refusal(b"", name).code == "empty_object"


@pytest.mark.parametrize("kept", [1, 2, 9, 11, 25, len(GZ) - 9, len(GZ) - 8, len(GZ) - 4, len(GZ) - 1])
def test_a_gzip_cut_short_is_refused(kept: int) -> None:
    assert refusal(GZ[:kept], "part.csv.gz").code == "corrupt_gzip"


def test_a_gzip_whose_second_member_is_cut_short_is_refused() -> None:
    for kept in (1, 5, len(GZ) - 1):
        assert refusal(GZ + GZ[:kept], "part.csv.gz").code == "corrupt_gzip"


def test_a_gzip_with_a_wrong_checksum_or_length_is_refused_after_its_rows() -> None:
    for position in (-8, -1):
        parsed = parse_bytes(changed(GZ, position), "part.csv.gz", batch_bytes=64)
        assert next(parsed.batches).num_rows > 0
        assert refusal(changed(GZ, position), "part.csv.gz").code == "corrupt_gzip"


def test_a_gzip_with_a_damaged_header_or_body_is_refused() -> None:
    for position in (2, 12, len(GZ) // 2):
        assert refusal(changed(GZ, position), "part.csv.gz").code == "corrupt_gzip"


def test_bytes_after_the_gzip_that_are_no_padding_are_refused() -> None:
    for garbage in (b"x", b"\0\0garbage", b"\x1f", b"\x1f\x00"):
        assert refusal(GZ + garbage, "part.csv.gz").code == "corrupt_gzip"


def test_a_file_compressed_twice_is_refused() -> None:
    assert refusal(gzip.compress(GZ), "part.csv.gz").code == "corrupt_gzip"
    assert refusal(gzip.compress(zipped(a=GOOD)), "part.csv.gz").code == "corrupt_gzip"
    assert refusal(zipped(a=GZ), "part.csv.zip").code == "corrupt_zip"


def test_a_parquet_file_inside_gzip_is_refused() -> None:
    assert refusal(gzip.compress(b"PAR1" + GOOD), "part.csv.gz").code == "corrupt_gzip"


def test_a_file_named_gz_or_zip_that_is_neither_that_nor_text_is_refused_as_such() -> None:
    assert refusal(changed(GZ, 0), "part.csv.gz").code == "corrupt_gzip"
    assert refusal(changed(GZ, 0), "part.csv.zip").code == "corrupt_zip"
    assert refusal(changed(GZ, 0), "part.csv").code == "not_utf8"


@pytest.mark.parametrize("members", [{}, {"one.csv": GOOD, "two.csv": GOOD}])
def test_a_zip_that_does_not_hold_exactly_one_file_is_refused(members: dict[str, bytes]) -> None:
    assert refusal(zipped(**members), "part.csv.zip").code == "corrupt_zip"


def test_a_zip_cut_short_is_refused() -> None:
    whole = zipped(a=GOOD)
    for kept in (4, 30, len(whole) // 2, len(whole) - 1):
        assert refusal(whole[:kept], "part.csv.zip").code == "corrupt_zip"


def test_a_zip_with_a_damaged_member_is_refused() -> None:
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_STORED) as out:
        out.writestr("part.csv", GOOD)
    assert refusal(changed(stored.getvalue(), 500), "part.csv.zip").code == "corrupt_zip"
    assert refusal(changed(zipped(a=GOOD), 40), "part.csv.zip").code == "corrupt_zip"


def test_an_encrypted_zip_is_refused() -> None:
    archive = bytearray(zipped(a=GOOD))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(header) + flags] |= 1
    error = refusal(bytes(archive), "part.csv.zip")
    assert (error.code, "encrypted" in str(error)) == ("corrupt_zip", True)


def test_a_zip_whose_compression_could_inflate_without_bound_is_refused() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as out:
        out.writestr("part.csv", GOOD)
    assert refusal(archive.getvalue(), "part.csv.zip").code == "corrupt_zip"


def test_a_row_of_too_few_or_too_many_values_is_refused_by_its_number() -> None:
    for body in (b"1,2\n3\n4,5\n", b"1,2\n3,4,5\n6,7\n"):
        error = refusal(b"a,b\n" + body)
        assert (error.code, error.row) == ("ragged_row", 2)


def test_a_row_number_counts_rows_over_blocks_and_neither_header_nor_blank_lines() -> None:
    text = b'"a\n\n",b\n' + b'"1\n",2\n\n' * 300 + b"3\n"
    assert refusal(text, batch_bytes=50).row == 301


def test_the_rows_before_a_bad_one_are_not_a_whole_file() -> None:
    parsed = parse_bytes(GOOD + b"3\n", batch_bytes=64)
    assert next(parsed.batches).num_rows > 0
    with pytest.raises(RaggedRow):
        rows_of(parsed)


def test_a_message_does_not_print_the_row() -> None:
    assert "secret" not in str(refusal(b"a,b\nsecret\n"))


@pytest.mark.parametrize("tail", [b'"3,4\n5,6\n', b'3,"4\n5,6\n', b'3,"4""\n', b'"', b'3,4\n5,"'])
def test_a_quote_that_is_never_closed_is_refused_where_it_opens(tail: bytes) -> None:
    error = refusal(b"a,b\n1,2\n" + tail)
    assert (error.code, error.row) == ("bad_csv", 3 if tail.startswith(b"3,4") else 2)


def test_text_after_a_closing_quote_is_refused() -> None:
    error = refusal(b'a,b\n1,2\n"3"x,4\n')
    assert (error.code, error.row) == ("bad_csv", 2)


def test_a_lone_open_quote_that_a_later_one_closes_is_refused() -> None:
    assert refusal(b'a,b\n"1,2\n3,4\n"5",6\n').row == 1


def test_a_header_that_is_no_csv_is_refused() -> None:
    for header in (b'"a,b\n1,2\n', b'"a"x,b\n1,2\n'):
        assert refusal(header).code == "bad_csv"


@pytest.mark.parametrize("header", [b"a,,c\n1,2,3\n", b'a,""\n1,2\n', b"\na\n1\n", b",\n", b"\n"])
def test_a_column_without_a_name_is_refused(header: bytes) -> None:
    assert refusal(header).code == "nameless_column"


def test_invalid_utf8_is_refused_by_row_and_column() -> None:
    error = refusal(b"a,caf\xc3\xa9\n1,2\n" * 1 + b"3,4\n" * 100 + b"5,\xff\n", batch_bytes=32)
    assert (error.code, error.row, error.column) == ("not_utf8", 102, "café")


def test_text_in_another_encoding_is_refused() -> None:
    for encoding in ("utf-16", "utf-16-be", "utf-32", "utf-32-be", "latin-1"):
        mark = "\ufeff" if encoding.endswith("be") else ""
        assert refusal((mark + "é,b\n1,2\n").encode(encoding)).code == "not_utf8"


def test_a_column_name_with_the_nul_character_is_refused() -> None:
    assert refusal(b"a\0,b\n1,2\n").code == "nul_character"


def test_the_nul_character_in_a_value_is_left_for_the_insert_to_refuse() -> None:
    assert read(b"a\nx\0y\n")[1] == [["x\0y"]]


def test_a_row_may_be_as_large_as_the_cap_and_no_larger() -> None:
    head = b"a,b\n1,2\n"
    for block in (10, 4 * 2**20):
        assert len(read(head + b"3," + b"x" * 998 + b"\n4,5\n", row_bytes=1000, batch_bytes=block)[1]) == 3
        error = refusal(head + b"3," + b"x" * 999 + b"\n4,5\n", row_bytes=1000, batch_bytes=block)
        assert (error.code, error.row) == ("row_too_large", 2)


def test_a_header_larger_than_the_row_cap_is_refused() -> None:
    assert refusal(b"x" * 200_000 + b"\n1\n", row_bytes=100_000).code == "row_too_large"


def test_a_file_that_expands_beyond_the_caps_is_refused() -> None:
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000)
    for limits in ({"total_bytes": 10**6}, {"ratio": 100, "ratio_from": 10**6}):
        assert refusal(bomb, "part.csv.gz", **limits).code == "too_large"
    assert refusal(zipped(a=GOOD * 100), "part.csv.zip", ratio=50, ratio_from=10_000).code == "too_large"


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_zip_cut_within_its_first_bytes_is_no_text_of_a_letter(kept: int) -> None:
    assert refusal(zipped(a=GOOD)[:kept], "part.csv.zip").code == "corrupt_zip"
    assert read(b"PK", "part.csv") == (["PK"], [])


def test_a_zip_whose_file_has_no_name_is_refused() -> None:
    archive = zipped(a=GOOD)
    name = archive.index(b"PK\x01\x02") + 46
    nameless = archive[:name] + b"\0" + archive[name + 1 :]
    assert refusal(nameless, "part.csv.zip").code == "corrupt_zip"
