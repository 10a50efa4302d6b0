"""What a connection does at this moment, in figures that are cheap to ask for every few seconds."""

from typing import Any

from django.db.models import Q, QuerySet

from ingestion.attempts import RUNNING
from ingestion.models import ClientConnection, Delivery, DiscoveryRun, Export, LoadAttempt, SourceFile
from ingestion.queueing import DISCOVER, tasks_before
from ingestion.status import a_worker_works

Status = SourceFile.Status


def now(connection: ClientConnection) -> dict[str, Any]:
    """The state of the whole, the last discovery and delivery, and the files that wait, load or failed."""
    last_run = connection.discovery_runs.first()
    asked_for = bool(connection.discovery_requested_by)
    loading = LoadAttempt.objects.filter(
        outcome=LoadAttempt.Outcome.RUNNING, source_file__connection=connection
    ).count()
    waiting = _files(connection, Status.NEW).exclude(RUNNING).count()
    return {
        "connection": connection,
        "last_run": last_run,
        "asked_for": asked_for,
        "discovery_waits": waits(DISCOVER, connection.pk) if asked_for else None,
        "discovering": asked_for or (last_run and last_run.outcome == DiscoveryRun.Outcome.RUNNING),
        "last_delivery": _last_delivery(connection),
        "waiting": waiting,
        "loading": loading,
        "failed": _files(connection, Status.FAILED).count(),
        "busy": loading or (waiting and connection.enabled and connection.client.enabled),
    }


def waits(function: str, number: int) -> dict[str, Any]:
    """Why a queued task is not begun yet: no worker, or how many tasks are before it."""
    return {"no_worker": not a_worker_works(), "behind": tasks_before(function, number)}


def _files(connection: ClientConnection, status: str) -> QuerySet[SourceFile]:
    """Of exports that are to be loaded."""
    wanted = Q(export__decision=Export.Decision.LOAD, status=status)
    return connection.files.filter(wanted)


def _last_delivery(connection: ClientConnection) -> Delivery | None:
    """The newest that readers see."""
    current = Delivery.objects.filter(
        scope__export__connection=connection, status=Delivery.Status.CURRENT
    ).select_related("scope__export")
    return current.order_by("-published_at", "-pk").first()
