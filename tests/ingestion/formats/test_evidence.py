"""A refused file leaves what finds the place: where it is and its shape, and none of the client's values."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading_bytes import parse_bytes, read, refusal, rows_of

from ingestion.formats.csv_block import CsvBlocks
from ingestion.formats.evidence import MOST_CHARACTERS, excerpt, masked


def test_letters_and_digits_of_any_script_are_masked_and_all_else_stands() -> None:
    assert masked("Ünit-Price: $12.50, ٣ 漢字") == "aaaa-aaaaa: $99.99, 9 aa"


def test_combining_marks_are_masked_as_letters_are() -> None:
    assert masked("हिन्दी") == "aaaaaa"


def test_control_characters_and_backslashes_are_shown_escaped() -> None:
    assert masked("a\tb\0\\\r\n\u2028\x1b[31m") == "a\\ta\\x00\\\\\\r\\n\\u2028\\x1b[99a"


def test_bytes_that_are_not_utf8_are_shown_as_hex() -> None:
    assert excerpt(b"caf\xe9,12") == "aaa\\xe9,99"


def test_an_excerpt_is_short_and_holds_the_place() -> None:
    data = b"x" * 1000 + b"\xff" + b"1" * 1000
    assert excerpt(data, 1000) == "a" * 80 + "\\xff" + "9" * 116
    assert len(excerpt(b"\0" * 1000, 500)) == MOST_CHARACTERS


def test_an_excerpt_cuts_no_character_in_half() -> None:
    data = "é".encode() * 300
    assert [excerpt(data, at) for at in (300, 301)] == ["a" * 100, "a" * 99]
    assert excerpt(data[:-1], 598).endswith("a\\xc3")


HEAD = b"name,cost\n"
BAD_PLACES = {
    "ragged": (HEAD + b"Bob,1\n\nAnn\nEve,2\n", "ragged_row", 2, 17, "aaa\\naaa,9\\n"),
    "a late ragged row": (HEAD + b'"a\nb",1\n' * 50 + b"Ann\n", "ragged_row", 51, 410, "aaa\\n"),
    "invalid": (HEAD + b"Bob,1\nA\xffn,2\n", "not_utf8", 2, 17, "aaa,9\\na\\xffa,9\\n"),
    "closing quote": (HEAD + b'Bob,1\n"Ann"x,2\n', "bad_csv", 2, 20, '"aaa"a,9\\n'),
    "open quote": (HEAD + b'Bob,1\nAnn,"2\n', "bad_csv", 2, 20, 'aaa,"9\\n'),
    "header": (b"name,c\xffst\n1,2\n", "not_utf8", None, 6, "aaaa,a\\xffaa\\n"),
    "nul in header": (b"na\0me\n1\n", "nul_character", None, 2, "aa\\x00aa\\n"),
    "utf-16": ("a,b".encode("utf-16"), "not_utf8", None, 0, "\\xff\\xfea\\x00,\\x00a\\x00"),
}


@pytest.mark.parametrize("name", BAD_PLACES)
@pytest.mark.parametrize("block", [40, 2**20])
def test_a_refused_text_tells_the_byte_and_the_shape_of_the_place(name: str, block: int) -> None:
    text, code, row, byte, shape = BAD_PLACES[name]
    for mark in (b"", b"\xef\xbb\xbf") if row else (b"",):
        error = refusal(mark + text, batch_bytes=block)
        assert (error.code, error.row) == (code, row)
        assert error.evidence["text_byte"] == byte + len(mark)
        assert str(error.evidence["excerpt"]).endswith(shape)


def test_the_first_bad_byte_is_the_one_that_is_told() -> None:
    error = refusal(b'a,b\n"x\n,",1\n\n"y","2\n,\xff"\n\xff,3\n')
    assert (error.row, error.column, error.evidence["text_byte"]) == (2, "b", 21)


def test_a_damaged_gzip_tells_how_far_it_was_read() -> None:
    data = gzip.compress(HEAD)
    assert refusal(data[:-1], "x.csv.gz").evidence == {"object_bytes_read": len(data) - 1}
    evidence = refusal(data + b"\0\0rest 1", "x.csv.gz").evidence
    assert evidence == {"object_bytes_read": len(data) + 8, "excerpt": "aaaa 9"}


def test_a_bomb_tells_how_far_it_was_read() -> None:
    evidence = refusal(gzip.compress(HEAD * 10_000), "x.csv.gz", total_bytes=50_000).evidence
    assert evidence.keys() == {"object_bytes_read", "bytes_decoded"}


def test_a_parquet_value_that_is_not_utf8_is_shown_masked() -> None:
    stored = pa.array([b"Bob 1", b"A\xffn 2"], pa.binary())
    names = pa.StringArray.from_buffers(2, *stored.buffers()[1:])
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"name": names}), sink)
    assert refusal(sink.getvalue().to_pybytes(), "x.parquet").evidence == {"excerpt": "a\\xffa 9"}


def test_a_large_value_or_row_tells_its_size_and_how_its_text_begins() -> None:
    for name, data in (("x.csv", b"a,b\n1,2\n3,Bob 1\n"), ("x.parquet", _parquet(["2", "Bob 1"]))):
        assert refusal(data, name, value_bytes=4).evidence == {"value_bytes": 5, "excerpt": "aaa 9"}
    error = refusal(_parquet(["2", "Bob 1"]), "x.parquet", row_bytes=5)
    assert (error.code, error.row) == ("row_too_large", 2)
    assert error.evidence == {"row_bytes": 6, "value_bytes": 5, "excerpt": "aaa 9"}
    large = refusal(_parquet(["2", "x" * 100_000]), "x.parquet", row_bytes=5).evidence
    assert (large["value_bytes"], len(str(large["excerpt"]))) == (100_000, 120)


@pytest.mark.parametrize(
    ("names", "code", "evidence"),
    [
        (["ab", "", "c1"], "nameless_column", {"column_number": 2, "excerpt": "aa,,a9"}),
        (["", "c1"], "nameless_column", {"column_number": 1, "excerpt": ",a9"}),
        (["ab", "c\x001"], "nul_character", {"column_number": 2, "excerpt": "aa,a\\x009"}),
    ],
)
def test_a_bad_name_of_a_parquet_column_is_shown_among_its_neighbours(
    names: list[str], code: str, evidence: dict[str, object]
) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays([pa.array([1])] * len(names), names=names), sink)
    error = refusal(sink.getvalue().to_pybytes(), "x.parquet")
    assert (error.code, error.evidence) == (code, evidence)


def test_text_that_arrow_refuses_for_a_reason_of_its_own_tells_where_the_block_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read_block = CsvBlocks.read

    def refuse(blocks: CsvBlocks, block: bytes) -> pa.Table:
        if b"Eve" in block:
            raise pa.ArrowInvalid("CSV parse error: of a kind that no text is known to give")
        return read_block(blocks, block)

    monkeypatch.setattr(CsvBlocks, "read", refuse)
    error = refusal(HEAD + b"Bob,1\nEve,2\n", batch_bytes=6)
    assert (error.code, error.row, error.evidence) == ("bad_csv", 2, {"text_byte": 16, "excerpt": "aaa,9\\n"})


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("block", [4, 16, 2**20])
def test_blank_lines_are_counted_and_are_no_rows(end: str, block: int) -> None:
    lines = ["a,b", "", "1,2", "", "", '"x', "", 'y",3', "", ",", ""]
    parsed = parse_bytes(end.join(lines).encode(), batch_bytes=block)
    assert rows_of(parsed) == [["1", "2"], [f"x{end}{end}y", "3"], [None, None]]
    assert parsed.oddities().blank_lines == 4


def test_with_one_column_a_blank_line_is_a_row_and_not_counted() -> None:
    parsed = parse_bytes(b"a\n1\n\n2\n")
    assert (rows_of(parsed), parsed.oddities().blank_lines) == ([["1"], [None], ["2"]], 0)


def test_caps_on_values_columns_and_rows_are_kept_to_the_unit() -> None:
    for name, data in (("x.csv", b"a,b\n1,2\n3,xxxx\n"), ("x.parquet", _parquet(["2", "xxxx"]))):
        assert len(read(data, name, value_bytes=4, columns=2, rows=2)[1]) == 2
        error = refusal(data, name, value_bytes=3)
        assert (error.code, error.row, error.column) == ("value_too_large", 2, "b")
        assert refusal(data, name, columns=1).code == "too_large"
        assert refusal(data, name, rows=1).code == "too_large"


def _parquet(values: list[str]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": ["1", "3"], "b": values}), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("block", [4, 16, 2**20])
def test_lines_that_a_carriage_return_alone_ends_are_counted(block: int) -> None:
    text = b'a,b\r1,"x\ry"\r\n2,"\r\n"\r3,\n4,5\r'
    parsed = parse_bytes(text, batch_bytes=block)
    assert rows_of(parsed) == [["1", "x\ry"], ["2", "\r\n"], ["3", None], ["4", "5"]]
    assert parsed.oddities().lone_returns == 3


def test_names_of_several_columns_are_told_once_each() -> None:
    parsed = parse_bytes(b"a,b,a,c,b,a\n1,2,3,4,5,6\n")
    assert parsed.oddities().repeated_names == ("a", "b")
