"""Load attempts by the second connection: seen by everyone while the load's own rows are not."""

import os
import socket
import time

from django.db.models import Exists, OuterRef
from django.utils import timezone

from ingestion.models import LoadAttempt, SourceFile

ALIAS = "progress"
SECONDS_BETWEEN_REPORTS = 1.0
# Of a source file in a query: is it loading?
RUNNING = Exists(LoadAttempt.objects.filter(source_file=OuterRef("pk"), outcome=LoadAttempt.Outcome.RUNNING))


def begin_attempt(file: SourceFile, actor: str) -> LoadAttempt:
    """A running attempt on `file`, committed at once."""
    return LoadAttempt.objects.using(ALIAS).create(
        source_file_id=file.pk,
        actor=actor,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        is_reload=file.status == SourceFile.Status.INGESTED,
    )


class ProgressReporter:
    """Writes how far an attempt is, at most once a second. Must not be called once the load is settled."""

    def __init__(self, attempt: LoadAttempt) -> None:
        self._attempt = attempt
        self._last = time.monotonic()

    def report(self, rows: int, bytes_read: int) -> None:
        """Write the figures so far, if the last report is a second old."""
        if time.monotonic() - self._last < SECONDS_BETWEEN_REPORTS:
            return
        self._last = time.monotonic()
        LoadAttempt.objects.using(ALIAS).filter(pk=self._attempt.pk).update(
            rows=rows, bytes_read=bytes_read, progress_at=timezone.now()
        )
