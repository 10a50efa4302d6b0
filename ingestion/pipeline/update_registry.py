"""Step 7 of 7: with crashes.py the only writer of a file's status, and of a load attempt's end."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from billing.layouts import store_layout
from ingestion.errors import AccessError, ArchivedObject, IngestionError
from ingestion.events.facts import file_failed
from ingestion.export_views import enter_layout
from ingestion.models import ClientConnection, LoadAttempt, SourceFile
from ingestion.pipeline.retry import OF_THE_CONNECTION, codes_before, next_action, next_retry, pause
from ingestion.receipts import write_file_receipt

if TYPE_CHECKING:  # it brings Arrow, which who only asks what is due does without
    from ingestion.pipeline.loaded import Loaded

Status = SourceFile.Status
Outcome = LoadAttempt.Outcome
SkipReason = SourceFile.SkipReason


def due(now: datetime) -> Q:
    """Files a load may take: new, failed, or asked for again; none before its time."""
    new, asked_for = Q(status=Status.NEW), Q(reload_requested_at__isnull=False)
    at_once, again = Q(next_retry_at=None), Q(next_retry_at__lte=now)
    # Each part alone implies a part of the condition of the index of waiting files. Otherwise PostgreSQL does
    # not see that the index holds them all, and sorts whatever waits.
    return (new & at_once) | (asked_for & at_once) | ((new | asked_for | Q(status=Status.FAILED)) & again)


def claim(source_file_id: int) -> SourceFile | None:
    """Lock the file for loading until the transaction ends; None where it is not due, or loading now.

    NO KEY, as the attempt's foreign key, written by the second connection, must not wait for this lock.
    """
    return locked(SourceFile.objects.filter(due(timezone.now()), pk=source_file_id)).first()


def locked(files: QuerySet[SourceFile]) -> QuerySet[SourceFile]:
    """Those of `files` that nobody is loading, locked until the transaction ends."""
    return files.select_for_update(skip_locked=True, no_key=True, of=("self",))


def record_success(file: SourceFile, attempt: LoadAttempt, loaded: "Loaded") -> None:
    """INGESTED, with counts and digests; closes the attempt and writes the receipt.

    The last thing in the load's transaction: from the receipt to the commit the connection's are locked.
    """
    file.layout = store_layout(loaded.names, loaded.types)
    file.status = Status.INGESTED
    file.ingested_at = timezone.now()
    file.row_count = loaded.rows
    file.decoded_bytes = loaded.decoded_bytes
    file.object_sha256 = loaded.object_sha256
    file.rows_sha256 = loaded.rows_sha256
    file.error_code = file.error_message = file.next_action = file.skip_reason = file.requested_by = ""
    file.failures = 0
    file.next_retry_at = file.reload_requested_at = None
    file.save()
    _close(attempt, outcome=Outcome.SUCCEEDED, rows=loaded.rows, bytes_read=loaded.bytes_read)
    enter_layout(file)
    write_file_receipt(file, {"parser": loaded.parser, **asdict(loaded.oddities)})


def record_failure(file: SourceFile, attempt: LoadAttempt, error: IngestionError) -> None:
    """FAILED, with the cause and when to try again; closes the attempt. In the load's transaction.

    A failed reload leaves the file as it was: only the attempt tells, and when the reload is tried again.
    """
    file.failures += 1
    file.requested_by = ""
    file.queued_at = None
    is_reload = file.status == Status.INGESTED
    all_refused = isinstance(error, AccessError) and error.nothing_readable
    if all_refused:
        again: datetime | None = timezone.now() + pause(file.failures)
    else:
        again = next_retry(error, file.failures, codes_before(attempt), is_reload=is_reload)
    hold(file, error, again)
    file.save()
    _close(
        attempt,
        outcome=Outcome.FAILED,
        error_code=error.code,
        error_message=str(error),
        next_action=next_action(error, again),
        error_row=error.row,
        error_column=error.column or "",
        evidence=error.evidence,
    )
    file_failed(file, attempt)
    if all_refused or isinstance(error, OF_THE_CONNECTION):
        # The discovery is refused, too, and tells it once; until one succeeds no more loads are queued.
        refused = {"reads_refused_at": timezone.now()} if all_refused else {}
        connections = ClientConnection.objects.filter(pk=file.connection_id)
        connections.update(next_discovery_at=timezone.now(), **refused)


def hold(file: SourceFile, error: IngestionError, again: datetime | None) -> None:
    """A file whose load failed waits until `again`, or for a person; an ingested one stays as it was.

    The caller saves the file.
    """
    file.next_retry_at = again
    if file.status != Status.INGESTED:
        # Archived is a state of the object, not a fault: the discovery that sees it restored wants it again.
        archived = isinstance(error, ArchivedObject)
        file.status = Status.SKIPPED if archived else Status.FAILED
        file.skip_reason = SkipReason.ARCHIVED if archived else ""
        file.error_code, file.error_message = error.code, str(error)
        file.next_action = next_action(error, again)
    elif again is None:
        file.reload_requested_at = None
        file.failures = 0


def skip_vanished(files: Iterable[int], reason: SourceFile.SkipReason) -> int:
    """SKIPPED: versions that were overwritten or deleted before they were loaded. In a transaction."""
    waiting = locked(SourceFile.objects.filter(pk__in=files, status__in=[Status.NEW, Status.FAILED]))
    return len(_touch(waiting, status=Status.SKIPPED, skip_reason=reason, next_retry_at=None, failures=0))


def skip_older(files: QuerySet[SourceFile]) -> int:
    """SKIPPED: versions that are not loaded and that no delivery which counts holds. In a transaction."""
    unlisted = Q(status=Status.SKIPPED, skip_reason=SkipReason.UNLISTED)
    unloaded = locked(files.filter(unlisted | Q(status__in=[Status.NEW, Status.FAILED])))
    values = {"skip_reason": SkipReason.OLDER, "next_retry_at": None, "failures": 0}
    return len(_touch(unloaded, status=Status.SKIPPED, **values))


def want(files: Iterable[int]) -> int:
    """NEW: skipped versions that a wanted delivery lists, and that can be read now. In a transaction.

    What a person skipped stays skipped until a person releases it, and what was purged for ever.
    """
    final = Q(skip_reason__in=[SkipReason.BY_STAFF, SkipReason.PURGED])
    skipped = locked(SourceFile.objects.filter(~final, pk__in=files, status=Status.SKIPPED))
    return len(_touch(skipped, status=Status.NEW, skip_reason="", queued_at=None, failures=0))


def skip_by_staff(files: QuerySet[SourceFile]) -> list[int]:
    """SKIPPED: files that are not loaded, nor loading now; answers which. In a transaction."""
    archived = Q(skip_reason=SkipReason.ARCHIVED)
    unloaded = locked(files.filter(archived | Q(status__in=[Status.NEW, Status.FAILED])))
    values = {"skip_reason": SkipReason.BY_STAFF, "next_retry_at": None, "failures": 0}
    return _touch(unloaded, status=Status.SKIPPED, **values)


def release(files: QuerySet[SourceFile], requested_by: str = "") -> list[int]:
    """NEW: files that a person skipped, or that are archived; answers which. In a transaction."""
    reasons = [SkipReason.BY_STAFF, SkipReason.ARCHIVED]
    skipped = locked(files.filter(status=Status.SKIPPED, skip_reason__in=reasons))
    values = {"error_code": "", "error_message": "", "next_action": "", "queued_at": None}
    return _touch(skipped, status=Status.NEW, skip_reason="", requested_by=requested_by, **values)


def mark_purged(files: QuerySet[SourceFile]) -> None:
    """SKIPPED for ever, loaded or not: their rows are erased. The caller holds the files' locks.

    Nothing that was read stays in the registry; the receipts keep the digests.
    """
    files.update(
        status=Status.SKIPPED,
        skip_reason=SkipReason.PURGED,
        layout=None,
        **dict.fromkeys(["ingested_at", "row_count", "decoded_bytes"]),
        **dict.fromkeys(["next_retry_at", "reload_requested_at", "queued_at"]),
        **dict.fromkeys(["object_sha256", "rows_sha256", "requested_by"], ""),
        **dict.fromkeys(["error_code", "error_message", "next_action"], ""),
        failures=0,
    )


def retry_now(files: QuerySet[SourceFile], requested_by: str = "") -> list[int]:
    """Make failed files due at once, unless they are loading now; answers which. In a transaction."""
    failed = locked(files.filter(status=Status.FAILED))
    return _touch(failed, next_retry_at=timezone.now(), queued_at=None, requested_by=requested_by)


def request_reload(files: QuerySet[SourceFile], requested_by: str = "") -> list[int]:
    """Ask for a reload of ingested files that are not loading now; answers which. In a transaction."""
    ingested = locked(files.filter(status=Status.INGESTED))
    values = {"next_retry_at": None, "queued_at": None, "requested_by": requested_by}
    return _touch(ingested, reload_requested_at=timezone.now(), **values)


def _touch(files: QuerySet[SourceFile], **values: Any) -> list[int]:
    ids = list(files.values_list("pk", flat=True))
    SourceFile.objects.filter(pk__in=ids).update(**values)
    return ids


def _close(attempt: LoadAttempt, **values: Any) -> None:
    LoadAttempt.objects.filter(pk=attempt.pk).update(ended_at=timezone.now(), **values)
