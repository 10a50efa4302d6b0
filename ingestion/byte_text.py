"""How many bytes, as pages tell it."""

from ingestion.time_tag import NOTHING

BINARY_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def bytes_text(value: float | None) -> str:
    """As `1.5 GiB`; a dash for None."""
    if value is None:
        return NOTHING
    unit = 0
    # Not 1024: 1023.97 KiB would be rounded to a unit that is never shown.
    while abs(value) >= 1023.95 and unit < len(BINARY_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:,.0f} B" if unit == 0 else f"{value:,.1f} {BINARY_UNITS[unit]}"
