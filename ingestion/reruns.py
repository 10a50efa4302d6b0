"""What staff ask for: retry failed files, reprocess ingested ones, ingest a connection now."""

from collections.abc import Iterator

from django.db import transaction
from django.db.models import QuerySet

from ingestion.models import ClientConnection, LoadAttempt, SourceFile
from ingestion.pipeline import run
from ingestion.pipeline.run import Progress
from ingestion.pipeline.update_registry import request_reload, retry_now
from ingestion.queueing import waiting_files


@transaction.atomic
def retry(files: QuerySet[SourceFile]) -> list[int]:
    """Make the failed ones among `files` due now; answers which. Those loading now are left alone."""
    return retry_now(files)


@transaction.atomic
def reprocess(files: QuerySet[SourceFile]) -> list[int]:
    """Ask for a reload of the ingested ones among `files`, and make the failed ones due; answers which."""
    return request_reload(files) + retry_now(files)


def waiting(connection: ClientConnection | None = None) -> list[int]:
    """The files that wait for a load, newest billing period first; of all connections, or of one."""
    files = waiting_files()
    if connection:
        files = files.filter(connection=connection)
    return list(files.values_list("pk", flat=True))


def load_each(files: list[int], actor: str, progress: Progress) -> Iterator[tuple[int, LoadAttempt | None]]:
    """Load the files one after the other, in this process."""
    for file_id in files:
        yield file_id, run.load(file_id, actor, progress)
