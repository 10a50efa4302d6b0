"""How figures and times look on every page: bytes, counts, durations, and times with UTC on hover."""

from datetime import timedelta

from django import template

from ingestion.byte_text import bytes_text
from ingestion.time_tag import NOTHING, time_tag

register = template.Library()
register.filter("time_tag", time_tag)
register.filter("bytes_text", bytes_text)

SPANS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


@register.filter
def count_text(value: float | None) -> str:
    """As `1,234,567`; a dash for None."""
    return NOTHING if value is None else f"{value:,.0f}"


@register.filter
def duration_text(value: timedelta | float | None) -> str:
    """The two largest parts of a time span (a timedelta, or seconds), as `2 h 5 min`; a dash for None."""
    if value is None:
        return NOTHING
    left = int(value.total_seconds() if isinstance(value, timedelta) else value)
    parts: list[tuple[int, str]] = []
    for name, seconds in SPANS:
        whole, left = divmod(max(left, 0), seconds)
        if whole or parts:
            parts.append((whole, name))
    return " ".join(f"{whole} {name}" for whole, name in parts[:2] if whole) or "0 s"
