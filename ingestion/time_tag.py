"""A time as every page shows it: the reader's own zone, UTC on hover."""

from datetime import UTC, datetime

from django.utils.html import format_html

NOTHING = "–"  # noqa: RUF001  # a dash where there is no time or figure


def time_tag(value: datetime | None) -> str:
    """A `<time>` element: UTC in its title, its text in UTC until times.js tells the reader's zone."""
    if value is None:
        return NOTHING
    utc = value.astimezone(UTC)
    return format_html(
        '<time class="kcx-time" datetime="{}" title="{} UTC">{} UTC</time>',
        utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        utc.strftime("%Y-%m-%d %H:%M:%S"),
        utc.strftime("%Y-%m-%d %H:%M"),
    )
