"""Tries a message, writes down how it went, and decides what comes next."""

import json
import logging
import time
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper
from django.utils import timezone

from ingestion.errors import IngestionError
from ingestion.events.errors import WebhookRefused
from ingestion.events.facts import text
from ingestion.events.posting import Answer, post
from ingestion.events.queue import due
from ingestion.events.signing import signed_headers
from ingestion.events.targets import target_of
from ingestion.models import Event, WebhookDelivery, WebhookEndpoint, WebhookMessage
from ingestion.staff_actions import record

logger = logging.getLogger(__name__)

Status = WebhookMessage.Status
# After each try that failed; 76 hours in all.
PAUSES = [timedelta(minutes=m) for m in (1, 5, 30)] + [timedelta(hours=h) for h in (2, 5, 10, 14, 20, 24)]
GIVEN_UP_AFTER = timedelta(hours=84)
# An endpoint that failed just now is not asked for its other messages: it would hold the workers up.
REST = timedelta(minutes=1)
GONE = 410
WRITTEN = ["status", "tries", "next_try_at", "queued_at", "ended_at", "reason"]


def send(message_id: int) -> WebhookDelivery | None:
    """Try one message, if it is due. None where it is not, or is being tried now.

    A worker that dies in between leaves it due: the receiver may get it twice, with the same webhook-id.
    """
    with transaction.atomic():
        is_due = ExpressionWrapper(due(timezone.now()), output_field=BooleanField())
        waiting = WebhookMessage.objects.filter(pk=message_id, status=Status.WAITING)
        locked = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",))
        message = locked.select_related("event", "endpoint").annotate(is_due=is_due).first()
        if message and message.is_due:
            return _try(message)
        if message:
            # It has no task any more, and its place is free for another's.
            waiting.update(queued_at=None)
        return None


def give_up_old() -> int:
    """Messages that wait too long, as for an endpoint that is disabled, are given up; answers how many."""
    now = timezone.now()
    old = WebhookMessage.objects.filter(status=Status.WAITING, waiting_since__lt=now - GIVEN_UP_AFTER)
    with transaction.atomic():
        locked = old.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True)
        reason = "It could not be sent for too long."
        return WebhookMessage.objects.filter(pk__in=list(locked)).update(
            status=Status.GIVEN_UP, next_try_at=None, ended_at=now, reason=reason
        )


def body_of(event: Event) -> bytes:
    """The JSON that receivers get, the same at every try."""
    told = {
        "id": str(event.uid),
        "type": event.kind,
        "timestamp": text(event.occurred_at),
        "data": event.payload,
    }
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _try(message: WebhookMessage) -> WebhookDelivery:
    at, began = timezone.now(), time.monotonic()
    answer: Answer | None = None
    error: IngestionError | None = None
    try:
        answer = _post(message)
        error = _refusal(answer)
    except IngestionError as refused:
        error = refused
    except Exception as fault:  # noqa: BLE001  # a fault of KCX's own is a failed try, too
        # Its name only: what it says may hold the URL.
        logger.error("Webhook message %s broke off: %s", message.pk, type(fault).__name__)  # noqa: TRY400
        error = IngestionError(f"{type(fault).__name__} while it was sent.")
    _settle(message, answer, error)
    return WebhookDelivery.objects.create(
        message=message,
        at=at,
        seconds=time.monotonic() - began,
        status_code=answer.status if answer else None,
        error_code=error.code if error else "",
        error_message=str(error) if error else "",
        answer=answer.text if answer else "",
    )


def _post(message: WebhookMessage) -> Answer:
    body = body_of(message.event)
    headers = {
        "content-type": "application/json",
        "user-agent": "KCX-Webhooks/1",
        **signed_headers(message.endpoint, str(message.event.uid), body),
    }
    return post(target_of(message.endpoint.url), headers, body)


def _refusal(answer: Answer) -> WebhookRefused | None:
    if 200 <= answer.status < 300:
        return None
    redirected = " Redirects are not followed." if 300 <= answer.status < 400 else ""
    return WebhookRefused(f"The receiver answered {answer.status}.{redirected}")


def _settle(message: WebhookMessage, answer: Answer | None, error: IngestionError | None) -> None:
    now = timezone.now()
    message.tries += 1
    message.queued_at = None
    message.reason = str(error or "")
    gone = answer is not None and answer.status == GONE
    if error is None:
        message.status, message.next_try_at, message.ended_at = Status.DELIVERED, None, now
    elif gone or message.tries > len(PAUSES):
        message.status, message.next_try_at, message.ended_at = Status.GIVEN_UP, None, now
    else:
        message.next_try_at = now + PAUSES[message.tries - 1]
    message.save(update_fields=WRITTEN)
    if gone:
        _disable(message.endpoint)
    _let_rest(message.endpoint, now + REST if error else None)


def _let_rest(endpoint: WebhookEndpoint, until: datetime | None) -> None:
    if until or endpoint.rests_until:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(rests_until=until)


def _disable(endpoint: WebhookEndpoint) -> None:
    reason = "Its receiver answered 410: it wants no more."
    if WebhookEndpoint.objects.filter(pk=endpoint.pk, enabled=True).update(
        enabled=False, disabled_reason=reason
    ):
        of_client = [endpoint.client_id] if endpoint.client_id else []
        record(
            "webhooks", "disable webhook", reason=reason, detail={"webhook": endpoint.name}, clients=of_client
        )
