"""What nobody does but time shows: deliveries that are incomplete or late, noticed by the sweep."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import CharField, Exists, OuterRef, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from ingestion.cadence import export_cadences
from ingestion.deliveries.manifest_objects import BEING_DELIVERED
from ingestion.events.facts import delivery_incomplete, delivery_late
from ingestion.models import Delivery, Event, Export

# What AWS is writing just now is most often whole at the next look.
AWS_WRITES_FOR = timedelta(hours=2)


def notice() -> None:
    """Write an event for each delivery that is incomplete or late and has none yet."""
    notice_incomplete()
    notice_late(timezone.now())


def notice_incomplete() -> None:
    """Each incomplete delivery of an export that is loaded, once however often its reason changes."""
    told = Event.objects.filter(
        dedupe_key=Concat(Value(f"{Event.Kind.DELIVERY_INCOMPLETE}:"), Cast(OuterRef("pk"), CharField()))
    )
    incomplete = Delivery.objects.filter(
        status=Delivery.Status.INCOMPLETE, scope__export__decision=Export.Decision.LOAD
    )
    just_now = timezone.now() - AWS_WRITES_FOR
    untold = incomplete.exclude(reason__contains=BEING_DELIVERED, first_seen_at__gt=just_now)
    for pk in untold.exclude(Exists(told)).values_list("pk", flat=True):
        with transaction.atomic():
            # Locked, so that it is incomplete still when its event is committed.
            locked = incomplete.select_for_update(no_key=True, of=("self",))
            if delivery := locked.select_related("scope__export__connection__client").filter(pk=pk).first():
                delivery_incomplete(delivery)


def notice_late(now: datetime) -> None:
    """Each export whose next delivery is late by its own cadence, if KCX has looked since; once per case."""
    late = {
        one.export_id: (one.cadence.last, since)
        for one in export_cadences()
        if one.loaded and (since := one.cadence.late_since(now))
    }
    exports = Export.objects.filter(
        pk__in=late, connection__enabled=True, connection__client__enabled=True
    ).select_related("connection__client")
    for export in exports:
        last, since = late[export.pk]
        looked = export.connection.last_discovered_at
        if last and looked and looked > since:
            delivery_late(export, last, since)
