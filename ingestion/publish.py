"""Publishing a delivery: a short transaction of its own that may be tried again at any time."""

from collections.abc import Callable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from ingestion.drift import note_columns
from ingestion.events.facts import delivery_published
from ingestion.models import Delivery, DeliveryFile, DeliveryScope, SourceFile
from ingestion.receipts import write_delivery_receipt
from ingestion.restatements import compare

Status = Delivery.Status
Check = Callable[[Delivery], bool]
OPEN = [Status.PENDING, Status.INCOMPLETE]


def has_no_manifest(delivery: Delivery) -> bool:
    """True where there is nothing to check again before publishing."""
    return not delivery.manifest_key


def publish_pending(deliveries: QuerySet[Delivery], unchanged: Check = has_no_manifest) -> int:
    """Try those of `deliveries` that may be complete, oldest first; answers how many became current.

    `unchanged` is asked outside any transaction: does the bucket still hold the delivery's manifest?
    """
    not_loaded = DeliveryFile.objects.filter(
        delivery=OuterRef("pk"), source_file__status=SourceFile.Status.NEW
    )
    open_ones = deliveries.filter(~Exists(not_loaded), status__in=OPEN)
    ready = [
        delivery for delivery in open_ones.order_by("delivered_at", "snapshot_id") if settle(delivery.pk)
    ]
    return sum(publish(delivery.pk) for delivery in ready if unchanged(delivery))


def publish_of_file(source_file_id: int, unchanged: Check = has_no_manifest) -> int:
    """Try the open deliveries that hold this file."""
    return publish_pending(Delivery.objects.filter(files=source_file_id), unchanged)


@transaction.atomic
def settle(delivery_id: int) -> bool:
    """Bring an open delivery's status and reason up to date; True where it can be published."""
    scope = _locked_scope(delivery_id)
    delivery = Delivery.objects.get(pk=delivery_id, scope=scope)
    if delivery.status not in OPEN:
        return False
    files = list(delivery.files.select_related("layout"))
    if delivery.listed_keys is None or len(files) < len(delivery.listed_keys):
        return False  # what is missing is the listing's to say
    against = _against(files)
    status = Status.INCOMPLETE if against else Status.PENDING
    if (delivery.status, delivery.reason) != (status, against):
        delivery.status, delivery.reason = status, against
        delivery.save(update_fields=["status", "reason"])
    return not against and all(file.status == SourceFile.Status.INGESTED for file in files)


@transaction.atomic
def publish(delivery_id: int) -> bool:
    """Make the delivery current where all its files are ingested and none newer is; True where it became so.

    The scope's row is locked first and everything is read after it, in new statements: of two workers that
    load the last two files, the second sees both.
    """
    scope = _locked_scope(delivery_id)
    delivery = Delivery.objects.get(pk=delivery_id)
    if delivery.status != Status.PENDING or not _all_ingested(delivery):
        return False
    if scope.key and scope.export.has_manifests:
        return False  # its manifests say what is complete: never again by key
    current = Delivery.objects.filter(scope=scope, status=Status.CURRENT).first()
    if current and _order(current) > _order(delivery):
        _supersede(delivery, _clock(), "A newer delivery was current already.")
        return False
    delivery.restatement = compare(current, delivery) if current else None
    now = _clock()
    for former in [*([current] if current else []), *_published_by_key(scope)]:
        _supersede(former, now)
    delivery.status, delivery.published_at, delivery.reason = Status.CURRENT, now, ""
    delivery.save()
    note_columns(delivery)
    write_delivery_receipt(delivery)
    delivery_published(delivery, current)
    return True


def overtake(newest: Delivery) -> None:
    """Older open deliveries of the same scope, which is locked, end superseded and unpublished."""
    for older in Delivery.objects.filter(scope=newest.scope_id, status__in=OPEN):
        if _order(older) < _order(newest):
            _supersede(older, _clock(), "Overtaken by a newer delivery before it was complete.")


def _locked_scope(delivery_id: int) -> DeliveryScope:
    return DeliveryScope.objects.select_for_update(no_key=True).get(deliveries=delivery_id)


def _all_ingested(delivery: Delivery) -> bool:
    files = delivery.files.all()
    listed = delivery.listed_keys
    return (
        listed is not None
        and files.count() >= len(listed)
        and not files.exclude(status=SourceFile.Status.INGESTED).exists()
    )


def _against(files: list[SourceFile]) -> str:
    """Why a delivery of these files can never be published as it is; '' where nothing is wrong."""
    for file in files:
        if file.status == SourceFile.Status.FAILED and file.next_retry_at is None:
            return f"A file failed for good ({file.error_code}): {file.key}"
        if file.status == SourceFile.Status.SKIPPED:
            return f"{file.get_skip_reason_display()}: {file.key}"
    headers = {tuple(file.layout.names) for file in files if file.layout and file.layout.names}
    return "The headers of its parts disagree." if len(headers) > 1 else ""


def _published_by_key(scope: DeliveryScope) -> list[Delivery]:
    """Current deliveries of single keys that a delivery of the whole period replaces."""
    if scope.key:
        return []
    by_key = DeliveryScope.objects.filter(
        export=scope.export_id, billing_period_start=scope.billing_period_start
    ).exclude(key="")
    locked = by_key.select_for_update(no_key=True).order_by("pk")
    return list(Delivery.objects.filter(scope__in=[one.pk for one in locked], status=Status.CURRENT))


def _supersede(delivery: Delivery, at: datetime, reason: str = "") -> None:
    delivery.status, delivery.superseded_at, delivery.reason = Status.SUPERSEDED, at, reason
    delivery.save(update_fields=["status", "superseded_at", "reason"])


def _clock() -> datetime:
    """PostgreSQL's time: by the clocks of two hosts a delivery could end before it began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def _order(delivery: Delivery) -> tuple[object, ...]:
    return (delivery.delivered_at, delivery.snapshot_id)
