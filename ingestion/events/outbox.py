"""The outbox: a fact and its event commit together, and so do the messages to whoever wants it."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ingestion.events.queue import queue_messages
from ingestion.models import ClientConnection, Event, WebhookEndpoint, WebhookMessage

Kind = Event.Kind


def record(kind: Event.Kind, fact: str, connection: ClientConnection, data: dict[str, Any]) -> Event | None:
    """Write one event, and a message per endpoint that wants it, in the caller's transaction.

    `fact` names it within its kind. None where the same fact was written before.
    """
    client = connection.client
    whose = {
        "client": {"id": client.pk, "name": client.name},
        "connection": {"id": connection.pk, "name": connection.name},
    }
    event = Event(
        kind=kind,
        client=client,
        connection=connection,
        dedupe_key=f"{kind}:{fact}",
        payload={**whose, **data},
    )
    with transaction.atomic():
        Event.objects.bulk_create([event], ignore_conflicts=True)
        written = Event.objects.filter(uid=event.uid).first()
        if written:
            address(written, wanting(written))
    return written


def record_test(endpoint: WebhookEndpoint) -> WebhookMessage:
    """A test event for one endpoint, enabled or not."""
    event = Event(kind=Kind.TEST, client=endpoint.client, payload={"note": "A test: nothing happened."})
    event.dedupe_key = f"{Kind.TEST}:{event.uid}"
    with transaction.atomic():
        event.save()
        (message,) = address(event, [endpoint])
    return message


def wanting(event: Event) -> list[WebhookEndpoint]:
    """The enabled endpoints that want this kind of event, of this client; no kinds chosen: all."""
    mine = Q(client=None) | Q(client=event.client_id)
    kinds = Q(kinds=[]) | Q(kinds__contains=[event.kind])
    return list(WebhookEndpoint.objects.filter(mine, kinds, enabled=True))


def address(event: Event, endpoints: list[WebhookEndpoint]) -> list[WebhookMessage]:
    """A waiting message to each; the doorbell rings once the transaction is committed."""
    now = timezone.now()
    messages = WebhookMessage.objects.bulk_create(
        WebhookMessage(event=event, endpoint=endpoint, waiting_since=now, next_try_at=now)
        for endpoint in endpoints
    )
    if messages:
        # Robust: a queue that cannot be reached must not fail what is committed already; the sweep follows.
        transaction.on_commit(queue_messages, robust=True)
    return messages
