"""What single segments of a key can be: names, dates, formats. Every check is linear in its text."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

FORMATS = ("csv.gz", "csv.zip", "csv", "snappy.parquet", "parquet")
REPORT_NAME = re.compile(r"[0-9A-Za-z!\-_.*'()]{1,256}")
EXPORT_NAME = re.compile(r"[0-9A-Za-z\-_]{1,128}")
DATES = re.compile(r"([0-9]{4})([0-9]{2})[0-9]{2}-[0-9]{8}")


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until before `end`."""

    start: date
    end: date


def month(year: str, number: str) -> Period | None:
    """The calendar month; None where there is no such month."""
    if not (1 <= int(year) <= 9998 and 1 <= int(number) <= 12):
        return None
    start = date(int(year), int(number), 1)
    return Period(start, (start + timedelta(days=31)).replace(day=1))


def day(text: str) -> Period | None:
    """One day, from YYYY-MM-DD; None where there is no such day."""
    try:
        start = date.fromisoformat(text)
        return Period(start, start + timedelta(days=1))
    except (ValueError, OverflowError):
        return None


def dates_folder(segment: str) -> Period | None:
    """`YYYYMMDD-YYYYMMDD`: the month of the first date; AWS's documents get the second wrong."""
    found = DATES.fullmatch(segment)
    return month(found[1], found[2]) if found else None


def ends_in_format(file_name: str) -> tuple[str, str] | None:
    """`part-1.csv.gz` -> (`part-1`, `csv.gz`); the longest format that fits."""
    for ending in FORMATS:
        stem = file_name.removesuffix(f".{ending}")
        if stem and stem != file_name:
            return stem, ending
    return None


def part_of(stem: str, name: str) -> int | None:
    """`name-00012` -> 12."""
    number = stem.removeprefix(f"{name}-")
    # Python refuses to read numbers of thousands of digits.
    if number == stem or not (number.isascii() and number.isdigit() and len(number) <= 1024):
        return None
    return int(number)
