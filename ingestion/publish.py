"""Publishing a delivery: a short transaction of its own that may be tried again at any time."""

from collections.abc import Callable
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet

from ingestion.drift import note_columns
from ingestion.events.facts import delivery_published
from ingestion.faults_of_parts import STATE_OF_FILE, no_header_of_its_own, what_is_against
from ingestion.models import Delivery, DeliveryFile, DeliveryScope, SourceFile
from ingestion.receipts import write_delivery_receipt
from ingestion.restatements import compare

Status = Delivery.Status
Check = Callable[[Delivery], bool]
OPEN = [Status.PENDING, Status.INCOMPLETE]
LIVE = [*OPEN, Status.CURRENT]
OVERTAKEN = "Overtaken by a newer delivery before it was complete."
IN_ORDER = ("delivered_at", "snapshot_id")
NEW = Q(source_file__status=SourceFile.Status.NEW)
FAILED = Q(source_file__status=SourceFile.Status.FAILED)
BLOCKED = FAILED & Q(source_file__next_retry_at=None) | Q(source_file__status=SourceFile.Status.SKIPPED)


def has_no_manifest(delivery: Delivery) -> bool:
    """True where there is nothing to check again before publishing."""
    return not delivery.manifest_key


def publish_pending(deliveries: QuerySet[Delivery], unchanged: Check = has_no_manifest) -> int:
    """Try those of `deliveries` that may be complete, oldest first; answers how many became current.

    `unchanged` is asked outside any transaction: does the bucket still hold the delivery's manifest?
    """
    ready = Delivery.objects.filter(pk__in=[pk for pk in _to_settle(deliveries) if settle(pk)])
    return sum(publish(delivery.pk) for delivery in ready.order_by(*IN_ORDER) if unchanged(delivery))


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
    # An older one that a manifest lists is loaded still where all history is: discovery looks for its files.
    newer = [] if delivery.manifest_key else _newer(delivery)
    if why := _outlived(scope, newer):
        _supersede(delivery, _clock(), why)
        return False
    files = list(delivery.files.only("key", *STATE_OF_FILE))
    if delivery.listed_keys is None or len(files) < len(delivery.listed_keys):
        return False  # what is missing is the listing's to say
    against = what_is_against(files) or no_header_of_its_own(files, delivery.manifest_columns)
    # A newer version of a key tells how the key fares. This one may come back all the same.
    status = Status.INCOMPLETE if against and not (scope.key and newer) else Status.PENDING
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
    if why := _outlived(scope, _newer(delivery)):
        _supersede(delivery, _clock(), why)
        return False
    current = Delivery.objects.filter(scope=scope, status=Status.CURRENT).first()
    delivery.restatement = compare(current, delivery) if current else None
    now = _clock()
    if current:
        _supersede(current, now)
    for by_key in _by_key(scope):
        _supersede(by_key, now, "" if by_key.published_at else "Its billing period was published as a whole.")
    delivery.status, delivery.published_at, delivery.reason = Status.CURRENT, now, ""
    delivery.save()
    if scope.key:
        overtake(delivery)
    note_columns(delivery)
    write_delivery_receipt(delivery)
    delivery_published(delivery, current)
    return True


def overtake(newest: Delivery) -> None:
    """Older open deliveries of the same scope, which is locked, end superseded and unpublished."""
    for older in Delivery.objects.filter(scope=newest.scope_id, status__in=OPEN):
        if _order(older) < _order(newest):
            _supersede(older, _clock(), OVERTAKEN)


def _locked_scope(delivery_id: int) -> DeliveryScope:
    return DeliveryScope.objects.select_for_update(no_key=True).get(deliveries=delivery_id)


def _to_settle(deliveries: QuerySet[Delivery]) -> list[int]:
    """The open ones of which settle() may say something new: not those whose files wait for their load.

    Asked in two steps: in one, where PostgreSQL's statistics are of before a large discovery, it may join all
    open deliveries with all files for each delivery anew.
    """
    read = deliveries.filter(status__in=OPEN, listed_keys__isnull=False).order_by(*IN_ORDER)
    status = dict(read.values_list("pk", "status"))
    held = DeliveryFile.objects.filter(delivery__in=list(status)).values_list("delivery")
    files = held.annotate(
        new=Count("pk", filter=NEW), failed=Count("pk", filter=FAILED), blocked=Count("pk", filter=BLOCKED)
    )
    waiting = {
        pk
        for pk, new, failed, blocked in files
        if new or (failed and not blocked and status[pk] == Status.PENDING)
    }
    return [pk for pk in status if pk not in waiting]


def _newer(delivery: Delivery) -> list[Delivery]:
    """Those of its scope, open or current, that are newer."""
    others = Delivery.objects.filter(scope=delivery.scope_id, status__in=LIVE)
    return [other for other in others if _order(other) > _order(delivery)]


def _outlived(scope: DeliveryScope, newer: list[Delivery]) -> str:
    """Why a delivery can never be published any more, whatever becomes of its files; '' where it can."""
    if scope.key and scope.export.has_manifests:
        return "Its export has manifests, which say what is complete."
    if any(other.status == Status.CURRENT for other in newer):
        return "A newer delivery was current already."
    return ""


def _all_ingested(delivery: Delivery) -> bool:
    files = delivery.files.all()
    listed = delivery.listed_keys
    return (
        listed is not None
        and files.count() >= len(listed)
        and not files.exclude(status=SourceFile.Status.INGESTED).exists()
    )


def _by_key(scope: DeliveryScope) -> list[Delivery]:
    """Current and open deliveries of single keys that a delivery of the whole period replaces."""
    if scope.key:
        return []
    by_key = DeliveryScope.objects.filter(
        export=scope.export_id, billing_period_start=scope.billing_period_start
    ).exclude(key="")
    locked = by_key.select_for_update(no_key=True).order_by("pk")
    return list(Delivery.objects.filter(scope__in=[one.pk for one in locked], status__in=LIVE))


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
