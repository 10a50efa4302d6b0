"""How many, how many bytes, and how long, as pages tell it."""

from datetime import timedelta

from ingestion.time_tag import NOTHING

BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
SPANS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def count_text(value: float | None) -> str:
    """As `1,234,567`; a dash for None."""
    return NOTHING if value is None else f"{value:,.0f}"


def bytes_text(value: float | None) -> str:
    """As `1.5 GiB`; a dash for None."""
    if value is None:
        return NOTHING
    unit = 0
    # Not 1024: 1023.97 KiB would be rounded to a unit that is never shown.
    while abs(value) >= 1023.95 and unit < len(BINARY_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:,.0f} B" if unit == 0 else f"{value:,.1f} {BINARY_UNITS[unit]}"


def duration_text(value: timedelta | float | None) -> str:
    """The two largest parts of a time span (a timedelta, or seconds), as `2 h 5 min`; a dash for None."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if 0 < seconds < 1:
        return "under 1 s"
    left = int(seconds)
    parts: list[tuple[int, str]] = []
    for name, seconds in SPANS:
        whole, left = divmod(max(left, 0), seconds)
        if whole or parts:
            parts.append((whole, name))
    return " ".join(f"{whole} {name}" for whole, name in parts[:2] if whole) or "0 s"
