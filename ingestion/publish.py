"""Publishing a delivery: a short transaction of its own that may be tried again at any time."""

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.models import Delivery, DeliveryScope, SourceFile

Status = Delivery.Status


def publish_pending(deliveries: QuerySet[Delivery]) -> int:
    """Try each pending one of `deliveries`, oldest first; answers how many became current."""
    pending = deliveries.filter(status=Status.PENDING).order_by("delivered_at", "snapshot_id")
    return sum(publish(delivery) for delivery in pending.values_list("pk", flat=True).iterator())


def publish_of_file(source_file_id: int) -> int:
    """Try the pending deliveries that hold this file."""
    return publish_pending(Delivery.objects.filter(files=source_file_id))


@transaction.atomic
def publish(delivery_id: int) -> bool:
    """Make the delivery current where all its files are ingested and none newer is; True where it became so.

    The scope's row is locked first and everything is read after it, in new statements: of two workers that
    load the last two files, the second sees both.
    """
    scope = DeliveryScope.objects.select_for_update(no_key=True).get(deliveries=delivery_id)
    delivery = Delivery.objects.get(pk=delivery_id)
    if (
        delivery.status != Status.PENDING
        or delivery.files.exclude(status=SourceFile.Status.INGESTED).exists()
    ):
        return False
    current = Delivery.objects.filter(scope=scope, status=Status.CURRENT).first()
    now = timezone.now()
    if current and _order(current) > _order(delivery):
        delivery.status, delivery.superseded_at = Status.SUPERSEDED, now
        delivery.reason = "A newer delivery was current already."
        delivery.save()
        return False
    if current:
        current.status, current.superseded_at = Status.SUPERSEDED, now
        current.save()
    delivery.status, delivery.published_at, delivery.reason = Status.CURRENT, now, ""
    delivery.save()
    return True


def _order(delivery: Delivery) -> tuple[object, ...]:
    return (delivery.delivered_at, delivery.snapshot_id)
