"""CSV comes back as it was written: names, values, NULL and ''."""

import csv
import gzip
import io
import zipfile

from csv_by_hand import read_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_bytes import TricklingSource, parse_bytes, read, refusal_of, rows_of

from ingestion.pipeline.parse import Limits, parse

# Everything CSV finds special, numbers in odd forms, and any Unicode.
VALUES = st.one_of(
    st.text(st.sampled_from('",\n\r\\ab \ufeff'), max_size=8),
    st.sampled_from(["1.81E-8", "0.10", "NULL", "\\N", "\\.", "null", " x ", "-0", "'", '{"k":"v"}']),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
NAMES = VALUES.filter(bool)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str | None]]]:
    names = draw(st.lists(NAMES, min_size=1, max_size=4))
    row = st.lists(st.none() | VALUES, min_size=len(names), max_size=len(names))
    return names, draw(st.lists(row, max_size=12))


@st.composite
def written(draw: st.DrawFn, table: tuple[list[str], list[list[str | None]]]) -> bytes:
    names, rows = table
    line_end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    lines = [",".join(_cell(value, quoted=draw(st.booleans())) for value in row) for row in [names, *rows]]
    # A last row of one NULL is told from no row by its line end alone.
    last = line_end if lines[-1] == "" else draw(st.sampled_from(["", line_end]))
    mark = draw(st.sampled_from(["", "\ufeff"]))
    # Without a mark of its own, a file's leading U+FEFF *is* the mark.
    mark = "\ufeff" if lines[0].startswith("\ufeff") else mark
    return (mark + line_end.join(lines) + last).encode()


def _cell(value: str | None, *, quoted: bool) -> str:
    if value is None:
        return ""
    if quoted or value == "" or set(value) & set('",\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value


@given(st.data(), tables(), st.integers(1, 60))
@settings(max_examples=300, deadline=None)
def test_any_table_reads_back_exactly_whatever_the_block_size(
    data: st.DataObject, table: tuple[list[str], list[list[str | None]]], block: int
) -> None:
    text = data.draw(written(table))
    assert read(text, batch_bytes=block) == table
    assert read(gzip.compress(text), "part.csv.gz", batch_bytes=block) == table


@given(st.text(st.sampled_from('a",\n\r'), max_size=40), st.integers(1, 3), st.integers(1, 50))
@settings(max_examples=1500, deadline=None)
def test_any_text_gives_what_a_reader_written_by_hand_gives(body: str, columns: int, block: int) -> None:
    text = (",".join("abc"[:columns]) + "\n" + body).encode()
    expected = read_by_hand(body, columns)
    if expected.code:
        error = refusal_of(lambda: read(text, batch_bytes=block))
        assert (error.code, error.row) == (expected.code, expected.row)
    else:
        assert read(text, batch_bytes=block)[1] == expected.rows


@given(tables())
@settings(max_examples=200, deadline=None)
def test_python_csv_reads_the_same_values(table: tuple[list[str], list[list[str | None]]]) -> None:
    names, rows = table
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    theirs = list(csv.reader(io.StringIO(text.getvalue(), newline=""), strict=True))
    found, values = read(text.getvalue().encode())
    assert [found, *values] == theirs


def test_an_empty_cell_is_null_and_a_quoted_empty_cell_is_the_empty_string() -> None:
    assert read(b'a,b\n,""\n"",\n') == (["a", "b"], [[None, ""], ["", None]])


def test_line_ends_inside_quotes_stay_as_they_are() -> None:
    assert read(b'a,b\r\n"x\r\ny","p\rq\nr"\r\n')[1] == [["x\r\ny", "p\rq\nr"]]


def test_lone_carriage_returns_end_rows() -> None:
    assert read(b"a,b\r1,2\r3,4\r") == (["a", "b"], [["1", "2"], ["3", "4"]])


def test_duplicate_and_odd_column_names_are_kept_in_place() -> None:
    header = 'Owner,owner,Owner,"a\nb","c, ""d""",é/ü:x'
    assert read(header.encode() + b"\n1,2,3,4,5,6\n")[0] == [
        "Owner",
        "owner",
        "Owner",
        "a\nb",
        'c, "d"',
        "é/ü:x",
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_name() -> None:
    assert read("\ufeffa,b\n1,2\n".encode()) == (["a", "b"], [["1", "2"]])


def test_a_byte_order_mark_inside_the_file_is_part_of_its_value() -> None:
    assert read("a,b\n\ufeff1,2\n\ufeff3,4\n".encode(), batch_bytes=8)[1] == [
        ["\ufeff1", "2"],
        ["\ufeff3", "4"],
    ]


def test_a_quote_inside_an_unquoted_value_is_an_ordinary_character() -> None:
    assert read(b'a,b\n3.5" disk,x"y"z\n"q",1\n')[1] == [['3.5" disk', 'x"y"z'], ["q", "1"]]


def test_a_line_of_backslash_dot_is_a_value_like_any_other() -> None:
    assert read(b"a\n1\n\\.\n2\n")[1] == [["1"], ["\\."], ["2"]]


def test_blank_lines_are_no_rows_where_there_are_several_columns() -> None:
    assert read(b"a,b\n\n1,2\n\n\n3,4\n\n")[1] == [["1", "2"], ["3", "4"]]


def test_a_blank_line_is_a_row_without_a_value_where_there_is_one_column() -> None:
    assert read(b'a\n1\n\n""\n2\n')[1] == [["1"], [None], [""], ["2"]]


def test_a_header_alone_is_a_file_of_no_rows_with_or_without_a_line_end() -> None:
    for text in (b"a,b", b"a,b\n", b"a,b\r\n", b"a,b\r", b'"a","b"'):
        assert read(text) == (["a", "b"], [])


def test_gzip_of_nothing_is_a_file_without_columns_or_rows() -> None:
    assert read(gzip.compress(b""), "part.csv.gz") == ([], [])


def test_a_header_longer_than_the_first_block_is_read_whole() -> None:
    names = [f"column {index} {'x' * 60}" for index in range(3000)]
    assert read(",".join(names).encode() + b"\n" + b",".join([b"1"] * 3000))[0] == names


def test_a_header_that_ends_in_a_carriage_return_at_the_end_of_a_block_keeps_its_line_feed() -> None:
    name = "x" * (64 * 2**10 + 3)  # the first block is 4 bytes and 64 kB
    assert read(name.encode() + b"\r\n1\r\n") == ([name], [["1"]])


def test_a_row_longer_than_a_block_is_one_row() -> None:
    long = "x" * 5000 + '\n"'
    body = f'1,"{long[:-1]}"""\n2,b\n'
    assert read(b"a,b\n0,a\n" + body.encode(), batch_bytes=100)[1] == [["0", "a"], ["1", long], ["2", "b"]]


def test_many_gzip_members_with_zero_padding_between_and_after_are_one_text() -> None:
    members = [gzip.compress(part) for part in (b"a,b\n1,", b"2\n3", b",4\n", b"")]
    assert read((b"\0" * 9).join(members) + b"\0" * 700, "part.csv.gz")[1] == [["1", "2"], ["3", "4"]]


def test_a_zip_of_one_file_is_read_beside_directories_and_resource_forks() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("report/", b"")
        out.writestr("report/part-1.csv", b"a,b\n1,2\n")
        out.writestr("__MACOSX/._part-1.csv", b"x")
    parsed = parse_bytes(archive.getvalue(), "part.csv.zip")
    assert (parsed.format, parsed.compression, rows_of(parsed)) == ("csv", "zip", [["1", "2"]])


def test_text_and_gzip_are_read_without_one_seek_however_little_a_read_gives() -> None:
    text = b"a,b\n" + b"1,2\n" * 500
    for content in (text, gzip.compress(text)):
        source = TricklingSource(content)
        parsed = parse(lambda source=source: source, "part", Limits(batch_bytes=64))
        assert rows_of(parsed) == [["1", "2"]] * 500
        assert source.seeks == 0


def test_content_decides_and_the_name_does_not() -> None:
    assert parse_bytes(b"a\n1\n", "part.csv.gz").compression == "none"
    assert parse_bytes(gzip.compress(b"a\n1\n"), "part.csv").compression == "gzip"


def test_a_parsed_file_says_what_it_is_and_how_much_was_decompressed() -> None:
    parsed = parse_bytes(gzip.compress(b"a,b\n1,2\n"), "part.csv.gz")
    assert rows_of(parsed) == [["1", "2"]]
    assert (parsed.format, parsed.compression, parsed.bytes_decoded()) == ("csv", "gzip", 8)
    assert [(column.name, column.type) for column in parsed.columns] == [("a", "string"), ("b", "string")]
    assert parsed.parser.startswith("pyarrow ")
    assert "isal " in parsed.parser
