"""What staff do with webhooks, each recorded: make one, change it, make a new secret, test, redeliver."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.events.outbox import record_test
from ingestion.events.queue import queue_messages
from ingestion.events.signing import fingerprint_of, new_seed, secret_of
from ingestion.models import WebhookEndpoint, WebhookMessage
from ingestion.staff_actions import record

# For so long both secrets sign, and the receiver may change over at any moment of it.
OVERLAP = timedelta(hours=24)
# What may be changed. Not the client: what waits is of the one it was made for.
CHANGEABLE = ["name", "url", "kinds", "enabled", "disabled_reason"]


@transaction.atomic
def save(endpoint: WebhookEndpoint, person: str, changes: dict[str, Any]) -> None:
    """Save what a form allowed; a new endpoint gets its seed. `changes`: before and after, by field."""
    new = endpoint.pk is None
    if new:
        endpoint.seed = new_seed()
        endpoint.fingerprint = fingerprint_of(secret_of(endpoint.seed))
    if endpoint.enabled:
        endpoint.disabled_reason = ""
    # Not what signs, nor what a worker writes meanwhile.
    endpoint.save(update_fields=None if new else CHANGEABLE)
    _record(endpoint, person, "add webhook" if new else "change webhook", changes=changes)


@transaction.atomic
def rotate(endpoint_id: int, fingerprint: str, person: str) -> str | None:
    """A new secret, beside which the former one signs for a day. None where `fingerprint` is not the newest.

    So a page that is sent twice makes one secret.
    """
    endpoint = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint_id)
    if endpoint.fingerprint != fingerprint:
        return None
    endpoint.former_seed, endpoint.former_fingerprint = endpoint.seed, endpoint.fingerprint
    endpoint.former_until = timezone.now() + OVERLAP
    endpoint.seed = new_seed()
    secret = secret_of(endpoint.seed)
    endpoint.fingerprint = fingerprint_of(secret)
    endpoint.save()
    _record(endpoint, person, "rotate webhook secret", fingerprint=endpoint.fingerprint)
    return secret


@transaction.atomic
def send_test(endpoint: WebhookEndpoint, person: str) -> WebhookMessage:
    """Queue a test event for this endpoint alone, even where it is disabled."""
    message = record_test(endpoint)
    _record(endpoint, person, "test webhook", event=str(message.event.uid))
    return message


@transaction.atomic
def redeliver(messages: QuerySet[WebhookMessage], person: str) -> int:
    """Send again those of `messages` that were delivered or given up, same id and body; answers how many."""
    ended = messages.exclude(status=WebhookMessage.Status.WAITING).select_related("endpoint", "event")
    chosen = list(ended.select_for_update(no_key=True, of=("self",)))
    now = timezone.now()
    WebhookMessage.objects.filter(pk__in=[message.pk for message in chosen]).update(
        status=WebhookMessage.Status.WAITING,
        tries=0,
        waiting_since=now,
        next_try_at=now,
        queued_at=None,
        ended_at=None,
    )
    for message in chosen:
        _record(message.endpoint, person, "redeliver webhook", event=str(message.event.uid))
    transaction.on_commit(queue_messages, robust=True)
    return len(chosen)


def _record(endpoint: WebhookEndpoint, person: str, action: str, **detail: Any) -> None:
    of_client = [endpoint.client_id] if endpoint.client_id else []
    told = {"webhook": endpoint.name, "id": endpoint.pk, **detail}
    record(person, action, detail=told, clients=of_client)
