"""The state of every connection, in figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from ingestion.models import ClientConnection, LoadAttempt, SourceFile, Worker
from ingestion.schedules import tick_due_since

Status = SourceFile.Status


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Registered file versions by status."""

    new: int
    ingested: int
    failed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection; `rows` counts the rows of its ingested files. Times are in UTC."""

    connection_id: int
    name: str
    enabled: bool
    files: FileCounts
    rows: int
    last_discovered_at: datetime | None
    last_ingested_at: datetime | None


def connection_statuses() -> list[ConnectionStatus]:
    """Every connection, by name."""
    counted = ClientConnection.objects.select_related("client").annotate(
        new=_files_that_are(Status.NEW),
        ingested=_files_that_are(Status.INGESTED),
        failed=_files_that_are(Status.FAILED),
        skipped=_files_that_are(Status.SKIPPED),
        rows=Sum("files__row_count", default=0),
        last_ingested_at=Max("files__ingested_at"),
    )
    return [
        ConnectionStatus(
            connection_id=one.pk,
            name=one.name,
            enabled=one.enabled and one.client.enabled,
            files=FileCounts(one.new, one.ingested, one.failed, one.skipped),
            rows=one.rows,
            last_discovered_at=one.last_discovered_at,
            last_ingested_at=one.last_ingested_at,
        )
        for one in counted.order_by("name")
    ]


def a_worker_works() -> bool:
    """Is there a worker whose supervisor is there, and that has begun a task of late or is loading?

    And do the schedules run? Without them a worker does what it is asked, and lists and sweeps nothing.
    """
    of_late = timezone.now() - timedelta(seconds=2 * settings.KCX_STALE_SECONDS)
    due_since = tick_due_since()
    if due_since and due_since < of_late:
        return False
    supervised = Worker.objects.filter(stopped_at=None, seen_at__gt=of_late)
    if supervised.filter(begun_at__gt=of_late).exists():
        return True
    loading = LoadAttempt.objects.filter(outcome=LoadAttempt.Outcome.RUNNING, progress_at__gt=of_late)
    return supervised.exists() and loading.exists()


def _files_that_are(status: str) -> Count:
    return Count("files", filter=Q(files__status=status))
