"""An independent reader of CSV, one character at a time, that tells NULL from ''."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    """The rows, or the code of what is wrong and its row."""

    rows: list[list[str | None]] = field(default_factory=list)
    code: str = ""
    row: int | None = None


def read_by_hand(text: str, columns: int) -> Outcome:
    """Read records without their header, strictly: RFC 4180, any line end, lone quotes inside values kept."""
    outcome = Outcome()
    at = 0
    while at < len(text):
        try:
            record, at = _record(text, at)
        except ValueError:
            return Outcome(code="bad_csv", row=len(outcome.rows) + 1)
        if record == [None] and columns > 1:
            continue
        if len(record) != columns:
            return Outcome(code="ragged_row", row=len(outcome.rows) + 1)
        outcome.rows.append(record)
    return outcome


def _record(text: str, at: int) -> tuple[list[str | None], int]:
    record: list[str | None] = []
    while True:
        value, at = _quoted(text, at + 1) if text[at : at + 1] == '"' else _bare(text, at)
        record.append(value)
        end = text[at : at + 1]
        if end == ",":
            at += 1
        elif end == "\r" and text[at + 1 : at + 2] == "\n":
            return record, at + 2
        elif end in {"", "\r", "\n"}:
            return record, at + 1
        else:
            raise ValueError("text after a closing quote")


def _bare(text: str, at: int) -> tuple[str | None, int]:
    start = at
    while at < len(text) and text[at] not in ",\r\n":
        at += 1
    return text[start:at] or None, at


def _quoted(text: str, at: int) -> tuple[str, int]:
    value = ""
    while at < len(text):
        if text[at] != '"':
            value += text[at]
            at += 1
        elif text[at + 1 : at + 2] == '"':
            value += '"'
            at += 2
        else:
            return value, at + 1
    raise ValueError("a quote that is never closed")
