"""What staff ask for, each recorded with who and why: retry, reprocess, skip, release, ingest now."""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet

from ingestion.models import ClientConnection, LoadAttempt, SourceFile
from ingestion.pipeline import run
from ingestion.pipeline.run import Progress
from ingestion.pipeline.update_registry import release as release_skipped
from ingestion.pipeline.update_registry import request_reload, retry_now, skip_by_staff
from ingestion.queueing import waiting_files
from ingestion.staff_actions import record


@transaction.atomic
def retry(files: QuerySet[SourceFile], person: str = "", reason: str = "") -> list[int]:
    """Make the failed ones among `files` due now; answers which. Those loading now are left alone."""
    return _recorded(retry_now(files, person), "retry", person, reason)


@transaction.atomic
def reprocess(files: QuerySet[SourceFile], person: str = "", reason: str = "") -> list[int]:
    """Ask for a reload of the ingested ones among `files`, and make the failed ones due; answers which."""
    due = request_reload(files, person) + retry_now(files, person)
    return _recorded(due, "reprocess", person, reason)


@transaction.atomic
def skip(files: QuerySet[SourceFile], person: str, reason: str) -> list[int]:
    """Leave out those of `files` that are not loaded; answers which. Deliveries that need them wait."""
    return _recorded(skip_by_staff(files), "skip", person, reason)


@transaction.atomic
def release(files: QuerySet[SourceFile], person: str, reason: str) -> list[int]:
    """Load those of `files` that a person skipped after all, and try archived ones; answers which."""
    return _recorded(release_skipped(files, person), "release", person, reason)


def waiting(connection: ClientConnection | None = None) -> list[int]:
    """The files that wait for a load, newest billing period first; of all connections, or of one."""
    files = waiting_files()
    if connection:
        files = files.filter(connection=connection)
    return list(files.values_list("pk", flat=True))


def load_each(files: list[int], actor: str, progress: Progress) -> Iterator[tuple[int, LoadAttempt | None]]:
    """Load the files one after the other, in this process; none of a connection that refuses all reads."""
    refused = ClientConnection.objects.filter(reads_refused_at__isnull=False)
    for file_id in files:
        left_alone = refused.filter(files=file_id).exists()
        yield file_id, None if left_alone else run.load(file_id, actor, progress)


def _recorded(files: list[int], action: str, person: str, reason: str) -> list[int]:
    """The same files, each with a record of what this person did to it."""
    if person:
        for file in SourceFile.objects.filter(pk__in=files).select_related("connection"):
            record(person, action, source_file=file, reason=reason)
    return files
