"""When a load that failed is tried again."""

from datetime import datetime, timedelta
from random import uniform

from django.utils import timezone

from ingestion.access_errors import SessionRefused
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
# What failed together is not tried again together.
JITTER = 0.25
# The connection is refused, not this file: all its files wait until that is mended.
OF_THE_CONNECTION = (AssumeRoleDenied, SessionRefused, NoIdentity, NoSuchBucket, WrongRegion, ClockSkew)
# This version can never be read again.
VERSION_LOST = (ObjectChanged, ObjectGone)


def pause(failures: int) -> timedelta:
    """How long a file that failed so often in a row waits: not quite as long as the next one."""
    doubled: timedelta = FIRST_RETRY * 2 ** min(failures - 1, 16)
    return min(doubled, LONGEST_RETRY) * uniform(1 - JITTER, 1)  # noqa: S311  # no secret


def next_retry(error: IngestionError, failures: int, *, is_reload: bool) -> datetime | None:
    """When KCX tries again by itself; None where only a person, or a new version, helps.

    A version that is lost before its first load is settled by the next discovery; a reload of one is over.
    """
    if is_reload and isinstance(error, VERSION_LOST):
        return None
    if error.transient or isinstance(error, OF_THE_CONNECTION) or (error.looked_at_twice and failures == 1):
        return timezone.now() + pause(failures)
    return None
