"""Erases all rows of a connection whose contract has ended, for good; a receipt in its chain tells of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import Count, QuerySet, Sum
from psycopg.errors import LockNotAvailable

from billing.partitions import partition_sizes
from ingestion.discovery_runs import one_at_a_time
from ingestion.models import (
    AccessCheck,
    ClientConnection,
    Delivery,
    DeliveryScope,
    Receipt,
    SourceFile,
    VerificationRequest,
)
from ingestion.models.connection import PURGED
from ingestion.pipeline.update_registry import mark_purged
from ingestion.publish import LIVE
from ingestion.receipts import clock, write_purge_receipt
from ingestion.staff_actions import record

ENDED = "Its connection was purged: the rows were erased for good."
DISCOVERED = "It is being discovered now: try again once that has ended."
CHECKED = "Its access is being checked now, or waits to be: try again once that has ended."
WRITTEN = "Something is being written of it now: try again."
LOADED = "A file of it is loading now: try again once that has ended."
PUBLISHED = "A delivery of it is being published now: try again."
READ = "Somebody reads its rows, and did not end within 5 seconds: try again."


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """What a purge would erase, how many deliveries it would end, and why it may not be; '' where it may."""

    files: int
    rows: int
    bytes: int
    deliveries: int
    why_not: str


def plan_of(client_connection: ClientConnection) -> PurgePlan:
    """What a purge of the connection would do now. Changes nothing."""
    loaded = client_connection.files.filter(status=SourceFile.Status.INGESTED)
    found = loaded.aggregate(files=Count("pk"), rows=Sum("row_count", default=0))
    return PurgePlan(
        files=found["files"],
        rows=found["rows"],
        bytes=partition_sizes().get(client_connection.pk, 0),
        deliveries=_live(client_connection.pk).count(),
        why_not=_why_not(client_connection),
    )


def purge(connection_id: int, actor: str, reason: str) -> Receipt:
    """Erase the connection's rows and end its deliveries, all or nothing; answers the receipt of it.

    Raises ValidationError where the connection is enabled or purged already, and where somebody works on it.
    """
    with one_at_a_time(connection_id) as alone:
        if not alone:
            raise ValidationError(DISCOVERED)
        with transaction.atomic(durable=True):
            client_connection = _locked(connection_id)
            if why_not := _why_not(client_connection):
                raise ValidationError(why_not)
            return _purge(client_connection, actor, reason)


def _why_not(client_connection: ClientConnection) -> str:
    if client_connection.purged_at:
        return PURGED
    if client_connection.enabled:
        return "It is enabled: disable it first."
    checks = client_connection.access_checks.filter(outcome=AccessCheck.Outcome.RUNNING)
    return CHECKED if checks.exists() else ""


def _locked(connection_id: int) -> ClientConnection:
    """The connection, its files and its scopes, locked.

    Never waits for a lock, as those who hold one may wait for the connection's. With FOR UPDATE a file that
    is being registered is there only after the purge, when nothing loads it any more: its foreign key waits.
    """
    with _or_refused(WRITTEN):
        client_connection = ClientConnection.objects.select_for_update(nowait=True).get(pk=connection_id)
    for rows, busy in (
        (VerificationRequest.objects.filter(connection=connection_id), WRITTEN),
        (SourceFile.objects.filter(connection=connection_id), LOADED),
        (DeliveryScope.objects.filter(export__connection=connection_id), PUBLISHED),
    ):
        with _or_refused(busy):
            locked = rows.select_for_update(nowait=True, no_key=True, of=("self",)).order_by("pk")
            list(locked.values_list("pk", flat=True))
    return client_connection


def _purge(client_connection: ClientConnection, actor: str, reason: str) -> Receipt:
    pk = client_connection.pk
    client_connection.purged_at, client_connection.discovery_requested_by = clock(), ""
    client_connection.save(update_fields=["purged_at", "discovery_requested_by"])
    _live(pk).update(
        status=Delivery.Status.SUPERSEDED, superseded_at=client_connection.purged_at, reason=ENDED
    )
    VerificationRequest.objects.filter(connection=pk).delete()
    record(actor, "purge", connection=client_connection, reason=reason)
    receipt = write_purge_receipt(client_connection, {"actor": actor, "reason": reason})
    mark_purged(SourceFile.objects.filter(connection=pk))
    with _or_refused(READ), connection.cursor() as cursor:
        cursor.execute("SELECT ingestion_purge_connection(%s)", [pk])
    return receipt


def _live(connection_id: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(scope__export__connection=connection_id, status__in=LIVE)


@contextmanager
def _or_refused(busy: str) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise ValidationError(busy) from error
        raise
