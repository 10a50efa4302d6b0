"""Publishing a delivery: a short transaction of its own that may be tried again at any time."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import QuerySet

from ingestion.drift import note_columns
from ingestion.events.facts import delivery_published
from ingestion.faults_of_parts import STATE_OF_FILE, no_header_of_its_own, what_is_against
from ingestion.models import Delivery, DeliveryScope, SourceFile
from ingestion.receipts import write_delivery_receipt
from ingestion.restatements import compare
from ingestion.unsettled import order, outlived, status_while_open, unsettled

Status = Delivery.Status
T = TypeVar("T")
Check = Callable[[Delivery], bool]
OPEN = [Status.PENDING, Status.INCOMPLETE]
LIVE = [*OPEN, Status.CURRENT]
OVERTAKEN = "Overtaken by a newer delivery before it was complete."
IN_ORDER = ("delivered_at", "snapshot_id")


def has_no_manifest(delivery: Delivery) -> bool:
    """True where there is nothing to check again before publishing."""
    return not delivery.manifest_key


def publish_pending(deliveries: QuerySet[Delivery], unchanged: Check = has_no_manifest) -> int:
    """Try those of `deliveries` that may be complete, oldest first; answers how many became current.

    `unchanged` is asked outside any transaction: does the bucket still hold the delivery's manifest? What is
    wrong with one keeps no other from its turn, and is raised after the last; several in an ExceptionGroup.
    """
    wrong: list[Exception] = []
    open_ones = deliveries.filter(status__in=OPEN, listed_keys__isnull=False).order_by(*IN_ORDER)
    complete = _one_by_one(unsettled(open_ones), settle, wrong)
    ready = Delivery.objects.filter(pk__in=complete).order_by(*IN_ORDER)
    published = _one_by_one(ready, lambda delivery: unchanged(delivery) and publish(delivery.pk), wrong)
    if len(wrong) > 1:
        raise ExceptionGroup(f"{len(wrong)} deliveries could not be published, the first: {wrong[0]}", wrong)
    if wrong:
        raise wrong[0]
    return len(published)


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
    if why := outlived(scope, newer):
        _supersede(delivery, _clock(), why)
        return False
    files = list(delivery.files.only("key", *STATE_OF_FILE))
    if delivery.listed_keys is None or len(files) < len(delivery.listed_keys):
        return False  # what is missing is the listing's to say
    against = what_is_against(files) or no_header_of_its_own(files, delivery.manifest_columns)
    status = status_while_open(scope, newer, against)
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
    if why := outlived(scope, _newer(delivery)):
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
        if order(older) < order(newest):
            _supersede(older, _clock(), OVERTAKEN)


def _one_by_one(ones: Iterable[T], work: Callable[[T], bool], wrong: list[Exception]) -> list[T]:
    """Those of which `work` answers True; what it raises of one is added to `wrong`.

    Raised at once where the session is lost: the locks of whoever publishes went with it.
    """
    done: list[T] = []
    for one in ones:
        session = connection.connection
        try:
            if work(one):
                done.append(one)
        except Exception as error:
            if connection.connection is not session:
                raise
            wrong.append(error)
    return done


def _locked_scope(delivery_id: int) -> DeliveryScope:
    return DeliveryScope.objects.select_for_update(no_key=True).get(deliveries=delivery_id)


def _newer(delivery: Delivery) -> list[Delivery]:
    """Those of its scope, open or current, that are newer."""
    others = Delivery.objects.filter(scope=delivery.scope_id, status__in=LIVE)
    return [other for other in others if order(other) > order(delivery)]


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
