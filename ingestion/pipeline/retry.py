"""When a load that failed is tried again."""

from datetime import datetime, timedelta

from django.utils import timezone

from ingestion.errors import (
    AssumeRoleDenied,
    ClockSkew,
    IngestionError,
    NoIdentity,
    NoSuchBucket,
    ObjectChanged,
    ObjectGone,
    WrongRegion,
)

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=6)
# The connection is refused, not this file: all its files wait until that is mended.
OF_THE_CONNECTION = (AssumeRoleDenied, NoIdentity, NoSuchBucket, WrongRegion, ClockSkew)
# This version can never be read again.
VERSION_LOST = (ObjectChanged, ObjectGone)


def pause(failures: int) -> timedelta:
    """How long a file that failed so often in a row waits."""
    doubled: timedelta = FIRST_RETRY * 2 ** min(failures - 1, 16)
    return min(doubled, LONGEST_RETRY)


def next_retry(error: IngestionError, failures: int, *, is_reload: bool) -> datetime | None:
    """When KCX tries again by itself; None where only a person, or a new version, helps.

    A version that is lost before its first load is settled by the next discovery; a reload of one is over.
    """
    if is_reload and isinstance(error, VERSION_LOST):
        return None
    if error.transient or isinstance(error, OF_THE_CONNECTION):
        return timezone.now() + pause(failures)
    return None
