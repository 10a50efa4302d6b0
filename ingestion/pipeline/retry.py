"""When a load that failed is tried again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from random import uniform

from django.utils import timezone

from ingestion.access_errors import SessionRefused
from ingestion.errors import (
    AssumeRoleDenied,
    ClockSkew,
    IngestionError,
    MayBeTheFile,
    NoIdentity,
    NoSuchBucket,
    ObjectChanged,
    ObjectGone,
    WrongRegion,
)
from ingestion.models import LoadAttempt

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


def codes_before(attempt: LoadAttempt) -> list[str]:
    """The codes of the tries that failed in a row before this one, the newest first, as far as they count."""
    earlier = LoadAttempt.objects.filter(source_file=attempt.source_file_id, pk__lt=attempt.pk)
    ended = earlier.exclude(outcome=LoadAttempt.Outcome.RUNNING).order_by("-pk")
    return list(takewhile(bool, ended.values_list("error_code", flat=True)[: MayBeTheFile.most]))


def next_retry(
    error: IngestionError, failures: int, before: Sequence[str], *, is_reload: bool
) -> datetime | None:
    """When KCX tries again by itself; None where only a person, or a new version, helps.

    `before`: as `codes_before` tells.
    A version that is lost before its first load is settled by the next discovery; a reload of one is over.
    """
    if is_reload and isinstance(error, VERSION_LOST):
        return None
    if isinstance(error, MayBeTheFile) and _in_a_row(before) + 1 >= error.most:
        return None
    looked_at_again = error.looked_at_twice and error.code not in before
    if error.transient or isinstance(error, OF_THE_CONNECTION) or looked_at_again:
        return timezone.now() + pause(failures)
    return None


def next_action(error: IngestionError, again: datetime | None) -> str:
    """What a person can do about it; `again`: as `next_retry` answered."""
    if again is None and isinstance(error, MayBeTheFile):
        return f"KCX gave up after {error.most} tries in a row: {error.at_last}"
    return error.next_action


def _in_a_row(before: Sequence[str]) -> int:
    return len(list(takewhile(MayBeTheFile.codes().__contains__, before)))
