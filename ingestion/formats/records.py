"""Cuts CSV text into blocks of whole records, and finds quotes that RFC 4180 does not allow."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.errors import BadFileError
from ingestion.file_errors import BadCsv, RowTooLarge
from ingestion.formats.reader import Text

_QUOTE = ord('"')
_ENDS_A_VALUE = np.zeros(256, np.bool_)
_ENDS_A_VALUE[list(b",\r\n")] = True


class MalformedError(Exception):
    """The record after the last one handed out is not well-formed; who counts the rows adds its number.

    `text` begins with that record, and `at` is the place of the fault in it.
    """

    def __init__(self, kind: type[BadFileError], sentence: str, text: bytes, at: int) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence
        self.text = text
        self.at = at


@dataclass(frozen=True, slots=True)
class Quotes:
    """The quotes that open and close values, in turn, up to `fault`: a closing one with text after it."""

    positions: npt.NDArray[np.intp]
    fault: int | None

    def enclose(self, position: int) -> int:
        """How many of them stand before a position: an odd number means it is inside a quoted value."""
        return int(np.searchsorted(self.positions, position))


def find_quotes(text: bytes) -> Quotes:
    """Find the structural quotes of text that starts at a record's start."""
    codes = np.frombuffer(text, np.uint8)
    positions = np.flatnonzero(codes == _QUOTE)
    if positions.size == 0 or _is_regular(codes, positions):
        return Quotes(positions, None)
    return _walk(codes, positions)


def _is_regular(codes: npt.NDArray[np.uint8], positions: npt.NDArray[np.intp]) -> bool:
    """Say whether every quote opens, closes or doubles as RFC 4180 has it: odd and even tell in from out.

    A doubled quote inside a value counts as closing and opening again, which leaves that parity right.
    """
    opening, closing = positions[0::2], positions[1::2]
    doubled = closing[: opening.size - 1] + 1 == opening[1:]
    opens = _ENDS_A_VALUE[codes[opening - 1]]
    opens[0] |= opening[0] == 0
    opens[1:] |= doubled
    closes = _ENDS_A_VALUE[codes[np.minimum(closing + 1, codes.size - 1)]]
    closes[: doubled.size] |= doubled
    if closing.size:
        closes[-1] |= closing[-1] + 1 == codes.size
    return bool(opens.all() and closes.all())


def _walk(codes: npt.NDArray[np.uint8], positions: npt.NDArray[np.intp]) -> Quotes:
    """Do the same one quote at a time: a quote inside an unquoted value is an ordinary character."""
    structural: list[int] = []
    inside = False
    skip = -1
    for position in positions.tolist():
        following = codes[position + 1] if position + 1 < codes.size else ord("\n")
        if position == skip:
            continue
        if not inside:
            inside = position == 0 or bool(_ENDS_A_VALUE[codes[position - 1]])
            structural += [position] if inside else []
        elif following == _QUOTE:
            skip = position + 1
        else:
            inside = False
            structural.append(position)
            if not _ENDS_A_VALUE[following]:
                return Quotes(np.array(structural, np.intp), position)
    return Quotes(np.array(structural, np.intp), None)


def first_record_end(text: bytes) -> int:
    """Return where the first record ends, its line end included; 0 if the text does not tell."""
    quotes = find_quotes(text)
    ends = [_next_outside(text, mark, quotes) for mark in (b"\n", b"\r")]
    found = min((end for end in ends if end), default=0)
    if text[found - 1 : found] != b"\r":
        return found
    if found == len(text):
        return 0  # a line feed may follow
    return found + 1 if text[found : found + 1] == b"\n" else found


def _next_outside(text: bytes, mark: bytes, quotes: Quotes) -> int:
    at = text.find(mark)
    while at >= 0 and (before := quotes.enclose(at)) % 2:
        if before >= quotes.positions.size:
            return 0
        at = text.find(mark, int(quotes.positions[before]))
    return at + 1


def last_record_end(text: bytes, quotes: Quotes) -> int:
    """Return where the last whole record before any fault ends; 0 if there is none.

    A lone carriage return ends a record too, but not where a line feed might follow it.
    """
    limit = len(text) if quotes.fault is None else quotes.fault
    return max(_last_outside(text, b"\n", limit, quotes), _last_outside(text, b"\r", limit - 1, quotes))


def _last_outside(text: bytes, mark: bytes, limit: int, quotes: Quotes) -> int:
    at = text.rfind(mark, 0, max(limit, 0))
    while at >= 0 and (before := quotes.enclose(at)) % 2:
        at = text.rfind(mark, 0, int(quotes.positions[before - 1]))
    return at + 1


def whole_records(start: bytes, text: Text, block_bytes: int, row_bytes: int) -> Iterator[bytes]:
    """Yield `start` and the rest of the text in blocks that end where a record ends.

    A block is about `block_bytes`, or as long as its one record up to `row_bytes`. Raises MalformedError.
    """
    cap = row_bytes + len(b"\n")
    rest, ended = start, False
    while not ended:
        target = min(cap, max(block_bytes, 2 * len(rest)))
        fresh = text.read(max(target - len(rest), 0))
        ended = len(rest) + len(fresh) < target
        block = rest + fresh
        quotes = find_quotes(block)
        end = _end_of_block(block, quotes, ended=ended)
        if end:
            yield _closed(block[:end])
        _refuse(block, end, quotes, ended=ended, stuck=not end and len(block) >= cap)
        rest = block[end:]


def _closed(block: bytes) -> bytes:
    """End the file's last line: without that Arrow takes an empty last cell after a quoted one for ''."""
    return block if block.endswith((b"\n", b"\r")) else block + b"\n"


def _end_of_block(block: bytes, quotes: Quotes, *, ended: bool) -> int:
    complete = ended and quotes.fault is None and quotes.positions.size % 2 == 0
    return len(block) if complete else last_record_end(block, quotes)


def _refuse(block: bytes, end: int, quotes: Quotes, *, ended: bool, stuck: bool) -> None:
    if quotes.fault is not None:
        raise MalformedError(BadCsv, "has text after a closing quote", block[end:], quotes.fault - end)
    if ended and quotes.positions.size % 2:
        opening = int(quotes.positions[-1])
        raise MalformedError(BadCsv, "opens a quote that is never closed", block[end:], opening - end)
    if stuck:
        hint = " (or opens a quote that is never closed)" if quotes.positions.size % 2 else ""
        raise MalformedError(RowTooLarge, f"is larger than {len(block) - 1:,} bytes{hint}", block, 0)
