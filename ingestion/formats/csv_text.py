"""CSV text to batches: the header by Python's reader, the rows by Arrow's, NULL and '' told apart."""

import csv
import io
import re
from collections.abc import Iterator

import pyarrow as pa

from ingestion.file_errors import (
    BadCsv,
    EmptyObject,
    NamelessColumn,
    NotUtf8,
    NulCharacter,
    RaggedRow,
    RowTooLarge,
    TooLarge,
)
from ingestion.formats.contract import Column, Limits
from ingestion.formats.csv_block import UTF8_BOM, CsvBlocks
from ingestion.formats.evidence import bad_place
from ingestion.formats.places import Lines, blank_lines, commas, lone_returns
from ingestion.formats.reader import Text
from ingestion.formats.records import MalformedError, first_record_end, whole_records

_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_HEADER_BLOCK = 64 * 2**10  # a header of 275 columns takes 8 kB
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")


class CsvText:
    """The columns of a CSV text, and its rows; text of no bytes has neither.

    Errors name their row. `blank_lines` counts those passed over, and `lone_returns` the lines that end in a
    carriage return alone, as far as the text was read.
    """

    def __init__(self, start: bytes, text: Text, limits: Limits) -> None:
        """Read the header of `start` and what follows it."""
        start += text.read(min(_HEADER_BLOCK, limits.batch_bytes, limits.row_bytes))
        if start.startswith(_OTHER_BOMS):
            raise NotUtf8("The text is UTF-16 or UTF-32, not UTF-8.", evidence=bad_place(start, 0))
        plain = start.removeprefix(UTF8_BOM)
        if start and not plain:
            raise EmptyObject("The text is a byte order mark and nothing else.", evidence=bad_place(start, 0))
        header, rest = _split_header(plain, text, limits.row_bytes)
        self.columns = tuple(Column(name, "string") for name in _names(header, limits)) if plain else ()
        self.blank_lines = 0
        self.lone_returns = lone_returns(header)
        self._blocks = whole_records(rest, text, limits.batch_bytes, limits.row_bytes)
        self._rows_done = 0
        self._bytes_done = len(start) - len(plain) + len(header)
        self._reader = CsvBlocks(len(self.columns))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, once, in batches of text."""
        try:
            for block in self._blocks:
                yield from self._read(block)
                self.blank_lines += blank_lines(block, len(self.columns))
                self.lone_returns += lone_returns(block)
                self._bytes_done += len(block)
        except MalformedError as fault:
            row = self._rows_done + 1
            evidence = self._evidence(fault.text, fault.at)
            raise fault.kind(f"Row {row} {fault.sentence}.", row=row, evidence=evidence) from fault

    def _read(self, block: bytes) -> Iterator[pa.RecordBatch]:
        try:
            table = self._reader.read(block)
        except pa.ArrowInvalid as error:
            raise self._translated(block, str(error)) from error
        for batch in table.to_batches():
            self._rows_done += batch.num_rows
            yield batch

    def _translated(self, block: bytes, message: str) -> BadCsv | RaggedRow | NotUtf8:
        if found := _RAGGED.search(message):
            in_block, expected, got = (int(text) for text in found.groups())
            row = self._rows_done + in_block
            at = Lines(block, len(self.columns)).start(in_block - 1)
            sentence = f"Row {row} has {got} values; the header has {expected}."
            return RaggedRow(sentence, row=row, evidence=self._evidence(block, at))
        try:
            block.decode()
        except UnicodeDecodeError as error:
            return self._not_utf8(block, error.start)
        sentence = f"The text cannot be read as CSV, after row {self._rows_done}."
        return BadCsv(sentence, row=self._rows_done + 1, evidence=self._evidence(block, 0))

    def _not_utf8(self, block: bytes, at: int) -> NotUtf8:
        place = Lines(block, len(self.columns)).place(at)
        row, column = self._rows_done + place.row + 1, self.columns[place.column].name
        sentence = f"Row {row} is not UTF-8, in column {column!r}."
        return NotUtf8(sentence, row=row, column=column, evidence=self._evidence(block, at))

    def _evidence(self, text: bytes, at: int) -> dict[str, int | str]:
        return bad_place(text, at, self._bytes_done)


def _split_header(start: bytes, text: Text, row_bytes: int) -> tuple[bytes, bytes]:
    while not (end := first_record_end(start)) and (more := text.read(len(start))):
        if len(start) > row_bytes:
            sentence = f"The header is larger than {row_bytes:,} bytes (KCX_MAX_ROW_BYTES)."
            raise RowTooLarge(sentence, evidence=bad_place(start, 0))
        start += more
    end = end or len(start)
    return start[:end], start[end:]


def _names(header: bytes, limits: Limits) -> list[str]:
    columns = commas(header) + 1
    if columns > limits.columns:
        raise TooLarge(f"The header has {columns:,} columns, more than {limits.columns:,} (KCX_MAX_COLUMNS).")
    names = _parsed(_decoded(header))
    for number, name in enumerate(names, 1):
        if not name:
            sentence = f"Column {number} of {len(names)} has no name."
            raise NamelessColumn(sentence, evidence=bad_place(header, 0))
    if not names:
        raise NamelessColumn("The first line, which must be the header, is empty.")
    return names


def _decoded(header: bytes) -> str:
    try:
        line = header.decode()
    except UnicodeDecodeError as error:
        sentence = f"The header is not UTF-8 (byte {error.start})."
        raise NotUtf8(sentence, evidence=bad_place(header, error.start)) from error
    if "\0" in line:
        sentence = "The header holds the NUL character."
        raise NulCharacter(sentence, evidence=bad_place(header, header.index(0)))
    return line


def _parsed(line: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(line, newline=""), strict=True), [])
    except csv.Error as error:
        sentence = f"The header is not well-formed CSV ({error})."
        raise BadCsv(sentence, evidence=bad_place(line.encode(), 0)) from error
