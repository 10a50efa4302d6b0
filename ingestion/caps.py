"""The caps on one file, as this installation sets them."""

from django.conf import settings

from ingestion.formats.contract import Limits


def caps() -> Limits:
    """The limits a file is read under."""
    return Limits(
        row_bytes=settings.KCX_MAX_ROW_BYTES,
        value_bytes=settings.KCX_MAX_VALUE_BYTES,
        columns=settings.KCX_MAX_COLUMNS,
        rows=settings.KCX_MAX_ROWS,
        total_bytes=settings.KCX_MAX_DECODED_BYTES,
        ratio=settings.KCX_MAX_RATIO,
        ratio_from=settings.KCX_MAX_RATIO_FROM_BYTES,
    )
