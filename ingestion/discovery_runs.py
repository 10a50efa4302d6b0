"""The audit of discoveries, and the lock that keeps them one at a time per connection."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.access.state import note_discovery
from ingestion.errors import IngestionError
from ingestion.models import ClientConnection, DiscoveryRun
from ingestion.pipeline.identify_new import Discovery
from ingestion.worker_errors import WorkerCrashed

Outcome = DiscoveryRun.Outcome
# The first half of the advisory lock's key; the second is the connection's id.
LOCK_CLASS = 0x4B4358


@contextmanager
def one_at_a_time(connection_id: int, lock_class: int = LOCK_CLASS) -> Iterator[bool]:
    """True inside where no other session discovers this connection (or does what else `lock_class` is of).

    A dead session's lock is free.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock_class, connection_id])
        alone: bool = cursor.fetchone()[0]
    try:
        yield alone
    finally:
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock_class, connection_id])


def close_dead_runs() -> int:
    """Close discoveries whose worker died, and make their connections due again; answers how many."""
    running = DiscoveryRun.objects.filter(outcome=Outcome.RUNNING)
    closed = 0
    for connection_id in set(running.values_list("connection", flat=True)):
        with one_at_a_time(connection_id) as alone:
            if alone and (dead := _close(running.filter(connection=connection_id))):
                ClientConnection.objects.filter(pk=connection_id).update(next_discovery_at=timezone.now())
                closed += dead
    return closed


def begin_run(client_connection: ClientConnection, actor: str) -> DiscoveryRun:
    """A running discovery; one that was left running by a dead worker is closed. Holding the lock."""
    _close(DiscoveryRun.objects.filter(connection=client_connection, outcome=Outcome.RUNNING))
    return DiscoveryRun.objects.create(connection=client_connection, actor=actor)


def end_run(run: DiscoveryRun, found: Discovery, error: IngestionError | None = None) -> DiscoveryRun:
    """Close the run with what was found, and with the error that ended it early.

    A run that was closed meanwhile stays as it was told: a worker that loses its session loses the lock, and
    another one may have taken over.
    """
    told: dict[str, Any] = {
        "outcome": Outcome.FAILED if error else Outcome.SUCCEEDED,
        "ended_at": timezone.now(),
        "listed": found.listed,
        "listed_bytes": found.listed_bytes,
        "registered": found.registered,
        "counts": dict(found.counts),
    }
    if error:
        told |= {"error_code": error.code, "error_message": str(error), "next_action": error.next_action}
    with transaction.atomic():
        closed = DiscoveryRun.objects.filter(pk=run.pk, outcome=Outcome.RUNNING).update(**told)
        run.refresh_from_db()
        if closed and error:
            note_discovery(run)
        elif closed:
            ClientConnection.objects.filter(pk=run.connection_id).update(last_discovered_at=run.ended_at)
    return run


def _close(dead: QuerySet[DiscoveryRun]) -> int:
    closed: int = dead.update(
        outcome=Outcome.FAILED,
        ended_at=timezone.now(),
        error_code=WorkerCrashed.code,
        error_message="The worker died, or lost its session, during the discovery.",
    )
    return closed
