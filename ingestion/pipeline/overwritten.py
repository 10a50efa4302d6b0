"""Objects that are overwritten again and again while they are read: an export that still writes."""

from collections.abc import Iterable
from datetime import timedelta
from itertools import takewhile

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from ingestion.errors import ObjectChanged
from ingestion.models import LoadAttempt, SourceFile
from ingestion.pipeline.retry import pause
from ingestion.pipeline.update_registry import locked

# So many versions in a row are lost while they are read; then the next one waits, longer with each.
MOST_LOST = 3
LOST = Exists(LoadAttempt.objects.filter(source_file=OuterRef("pk"), error_code=ObjectChanged.code))


def hold_back(replaced: Iterable[int]) -> list[int]:
    """Let the new versions of these wait, where too many were lost in a row; answers which."""
    lost = SourceFile.objects.filter(LOST, pk__in=list(replaced))
    return [held for file in lost if (held := _held(file))]


def _held(file: SourceFile) -> int | None:
    versions = SourceFile.objects.filter(connection=file.connection_id, key=file.key).annotate(lost=LOST)
    newest, *older = versions.order_by("-pk")
    in_a_row = len(list(takewhile(_was_lost, older)))
    return newest.pk if in_a_row >= MOST_LOST and _waits(newest.pk, pause(in_a_row)) else None


@transaction.atomic
def _waits(file: int, span: timedelta) -> bool:
    """Not due before a time span is over; False where it is loading now, which is not waited for, or done."""
    new = locked(SourceFile.objects.filter(pk=file, status=SourceFile.Status.NEW)).first()
    return new is not None and bool(
        SourceFile.objects.filter(pk=new.pk).update(next_retry_at=timezone.now() + span)
    )


def _was_lost(version: SourceFile) -> bool:
    return bool(getattr(version, "lost", False)) and version.skip_reason == SourceFile.SkipReason.REPLACED
