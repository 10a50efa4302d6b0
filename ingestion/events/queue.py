"""Messages that are due -> tasks in the queue, which may lose or double them."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import Event, WebhookMessage

# In the queue at a time: loads wait there, too.
AT_MOST = 100
# Of them for one endpoint: one that is slow, or dead without KCX knowing it yet, leaves the others room.
OF_ONE = 25
# A message whose task has not begun it by then is queued again: the task may be lost.
QUEUED_AGAIN_AFTER = timedelta(minutes=15)


def due(now: datetime) -> Q:
    """Messages that wait and may be tried; an endpoint that is disabled gets tests only."""
    awake = Q(endpoint__rests_until=None) | Q(endpoint__rests_until__lte=now)
    wanted = Q(endpoint__enabled=True) | Q(event__kind=Event.Kind.TEST)
    return Q(status=WebhookMessage.Status.WAITING, next_try_at__lte=now) & awake & wanted


@transaction.atomic
def queue_messages() -> int:
    """Queue a task for due messages that have none, the endpoints by turns; answers how many.

    Of one endpoint those due for longest come first. A task whose endpoint rests takes nobody's place: it
    will find its message not due.
    """
    now = timezone.now()
    chosen = _by_turns(WebhookMessage.objects.filter(due(now)), now - QUEUED_AGAIN_AFTER)
    for pk in chosen:
        async_task("ingestion.tasks.send_webhook", pk, task_name=f"send webhook message {pk}")
    WebhookMessage.objects.filter(pk__in=chosen).update(queued_at=now)
    return len(chosen)


def _by_turns(messages: QuerySet[WebhookMessage], lost_before: datetime) -> list[int]:
    """Those that are to be queued now, locked: none whose task was queued after `lost_before`."""
    held = Count("pk", filter=Q(queued_at__gt=lost_before))
    in_queue = dict(messages.order_by().values_list("endpoint_id").annotate(held=held))
    lacking = messages.filter(Q(queued_at=None) | Q(queued_at__lte=lost_before)).order_by("next_try_at")
    locked = lacking.select_for_update(skip_locked=True, no_key=True, of=("self",))
    turns = [
        (turn, message.next_try_at, message.pk)
        for endpoint, had in in_queue.items()
        for turn, message in enumerate(locked.filter(endpoint=endpoint)[: max(OF_ONE - had, 0)], had)
    ]
    room = max(AT_MOST - sum(in_queue.values()), 0)
    return [pk for *_, pk in sorted(turns)[:room]]
