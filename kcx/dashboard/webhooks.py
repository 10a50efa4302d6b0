"""Webhooks whose events were given up of late."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Max
from django.utils import timezone

from ingestion.models import Event, WebhookMessage

SHOWN_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The events of the last week that one webhook did not get; `reason` is the newest one's."""

    endpoint_id: int
    name: str
    events: int
    reason: str


def given_up() -> list[GivenUp]:
    """By webhook, by name; tests are nobody's loss."""
    recent = WebhookMessage.objects.filter(
        status=WebhookMessage.Status.GIVEN_UP, ended_at__gt=timezone.now() - SHOWN_FOR
    ).exclude(event__kind=Event.Kind.TEST)
    groups = list(
        recent.order_by("endpoint__name")
        .values_list("endpoint", "endpoint__name")
        .annotate(Count("pk"), Max("pk"))
    )
    newest = WebhookMessage.objects.only("reason").in_bulk([pk for *_, pk in groups])
    return [GivenUp(endpoint, name, count, newest[pk].reason) for endpoint, name, count, pk in groups]
