"""CSV text to batches: the header by Python's reader, the rows by Arrow's, NULL and '' told apart."""

import csv
import io
import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv as pacsv

from ingestion.file_errors import BadCsv, NamelessColumn, NotUtf8, NulCharacter, RaggedRow, RowTooLarge
from ingestion.formats.contract import Column, Limits
from ingestion.formats.reader import Text
from ingestion.formats.records import MalformedError, first_record_end, whole_records

_UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_HEADER_BLOCK = 64 * 2**10  # a header of 275 columns takes 8 kB
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_INVALID_UTF8 = re.compile(r"In CSV column #(\d+): Row #(\d+): .*invalid UTF8")


def read_csv(start: bytes, text: Text, limits: Limits) -> tuple[tuple[Column, ...], Iterator[pa.RecordBatch]]:
    """Read the header of `start` and what follows it; return the columns and the batches.

    Text of no bytes has neither columns nor rows.
    """
    start += text.read(min(_HEADER_BLOCK, limits.batch_bytes, limits.row_bytes))
    if start.startswith(_OTHER_BOMS):
        raise NotUtf8("The text is UTF-16 or UTF-32, not UTF-8.")
    start = start.removeprefix(_UTF8_BOM)
    if not start:
        return (), iter(())
    header, rest = _split_header(start, text, limits.row_bytes)
    columns = tuple(Column(name, "string") for name in _names(header))
    return columns, _Rows(columns).batches(whole_records(rest, text, limits.batch_bytes, limits.row_bytes))


def _split_header(start: bytes, text: Text, row_bytes: int) -> tuple[bytes, bytes]:
    while not (end := first_record_end(start)) and (more := text.read(len(start))):
        if len(start) > row_bytes:
            raise RowTooLarge(f"The header is larger than {row_bytes:,} bytes.")
        start += more
    end = end or len(start)
    return start[:end], start[end:]


def _names(header: bytes) -> list[str]:
    try:
        line = header.decode()
    except UnicodeDecodeError as error:
        raise NotUtf8(f"The header is not UTF-8 (byte {error.start}).") from error
    if "\0" in line:
        raise NulCharacter("The header holds the NUL character.")
    try:
        names = next(csv.reader(io.StringIO(line, newline=""), strict=True), [])
    except csv.Error as error:
        raise BadCsv(f"The header is not well-formed CSV ({error}).") from error
    for number, name in enumerate(names, 1):
        if not name:
            raise NamelessColumn(f"Column {number} of {len(names)} has no name.")
    if not names:
        raise NamelessColumn("The first line, which must be the header, is empty.")
    return names


class _Rows:
    """Parses blocks of whole records, and counts rows so that an error can name its own."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = columns
        self._done = 0
        names = [str(index) for index in range(len(columns))]
        self._names = names
        # A blank line is a row with no value where there is one column, and no row at all elsewhere.
        self._parse = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1)
        self._convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def batches(self, blocks: Iterator[bytes]) -> Iterator[pa.RecordBatch]:
        try:
            for block in blocks:
                yield from self._read(block)
        except MalformedError as fault:
            row = self._done + 1
            raise fault.kind(f"Row {row} {fault.sentence}.", row=row) from fault

    def _read(self, block: bytes) -> Iterator[pa.RecordBatch]:
        # Arrow drops a byte order mark from whatever it is given; within a file it is part of a value.
        guarded = _UTF8_BOM + block if block.startswith(_UTF8_BOM) else block
        reading = pacsv.ReadOptions(use_threads=False, block_size=len(guarded) + 1, column_names=self._names)
        try:
            table = pacsv.read_csv(pa.BufferReader(guarded), reading, self._parse, self._convert)
        except pa.ArrowInvalid as error:
            raise self._translated(str(error)) from error
        for batch in table.to_batches():
            self._done += batch.num_rows
            yield batch

    def _translated(self, message: str) -> BadCsv | RaggedRow | NotUtf8:
        if found := _RAGGED.search(message):
            row, expected, got = (int(text) for text in found.groups())
            row += self._done
            return RaggedRow(f"Row {row} has {got} values; the header has {expected}.", row=row)
        if found := _INVALID_UTF8.search(message):
            column, row = self._columns[int(found[1])].name, int(found[2]) + self._done
            return NotUtf8(f"Row {row} is not UTF-8, in column {column!r}.", row=row, column=column)
        return BadCsv(f"The text cannot be read as CSV, after row {self._done}.")
