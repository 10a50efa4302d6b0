"""Attempts whose load could not tell how it ended: they are closed, and counted on the file."""

from django.db import DatabaseError, InterfaceError, transaction
from django.utils import timezone

from ingestion.errors import IngestionError
from ingestion.events.facts import file_failed
from ingestion.models import LoadAttempt, SourceFile
from ingestion.pipeline.retry import codes_before, next_action, next_retry
from ingestion.pipeline.update_registry import hold, locked, record_failure
from ingestion.worker_errors import WorkerCrashed

Status = SourceFile.Status
Outcome = LoadAttempt.Outcome

# A file whose workers died this often in a row waits, like one that failed, instead of killing the next.
CRASHES_IN_A_ROW = 3
CRASHED = {
    "outcome": Outcome.CRASHED,
    "error_code": WorkerCrashed.code,
    "error_message": (
        "The worker died, lost its database session, or could not write down how the load ended."
    ),
    "next_action": WorkerCrashed.next_action,
}


def close_earlier(file: SourceFile) -> None:
    """Close what still runs on a claimed file: its lock, held here, proves that those workers are gone.

    In the load's transaction, so that a receipt tells how each attempt before it ended.
    """
    running = LoadAttempt.objects.filter(source_file=file, outcome=Outcome.RUNNING)
    if dead := running.update(ended_at=timezone.now(), **CRASHED):
        file.failures += dead
        file.save(update_fields=["failures"])


def record_crash(attempt: LoadAttempt) -> bool:
    """Close a running attempt whose worker is gone; False where it is being loaded, or was closed meanwhile.

    In a transaction: holding the file's lock is what proves that no worker loads it.
    """
    file = _still_open(attempt)
    if file is None:
        return False
    file.queued_at = None
    file.failures += 1
    told = CRASHED
    if file.failures >= CRASHES_IN_A_ROW and file.status != Status.SKIPPED:
        error = WorkerCrashed(f"The worker died, or lost its session, in {file.failures} loads in a row.")
        again = next_retry(error, file.failures, codes_before(attempt), is_reload=False)
        told = CRASHED | {"next_action": next_action(error, again)}
        hold(file, error, again)
        file_failed(file, attempt)
    file.save()
    LoadAttempt.objects.filter(pk=attempt.pk).update(ended_at=timezone.now(), **told)
    return True


def record_afterwards(attempt: LoadAttempt, error: IngestionError) -> bool:
    """Record the failure of a load whose own transaction could not; False where this one cannot either.

    What had filled the disk may be gone with the load's rows. For the load's own session only: where that is
    lost nothing is known of how the load ended.
    """
    try:
        with transaction.atomic():
            if file := _still_open(attempt):
                record_failure(file, attempt, error)
    except (DatabaseError, InterfaceError):
        return False
    return file is not None


def _still_open(attempt: LoadAttempt) -> SourceFile | None:
    """The file, locked, of a running attempt that nobody loads; None where it is loaded, or was closed."""
    file = locked(SourceFile.objects.filter(pk=attempt.source_file_id)).first()
    running = LoadAttempt.objects.filter(pk=attempt.pk, outcome=Outcome.RUNNING)
    return file if file and running.exists() else None
