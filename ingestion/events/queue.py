"""Messages that are due -> tasks in the queue, which may lose or double them."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.models import Event, WebhookMessage

# In the queue at a time: loads wait there, too.
AT_MOST = 100
# A message whose task has not begun it by then is queued again: the task may be lost.
QUEUED_AGAIN_AFTER = timedelta(minutes=15)


def due(now: datetime) -> Q:
    """Messages that wait and may be tried; an endpoint that is disabled gets tests only."""
    awake = Q(endpoint__rests_until=None) | Q(endpoint__rests_until__lte=now)
    wanted = Q(endpoint__enabled=True) | Q(event__kind=Event.Kind.TEST)
    return Q(status=WebhookMessage.Status.WAITING, next_try_at__lte=now) & awake & wanted


@transaction.atomic
def queue_messages() -> int:
    """Queue a task for each due message that has none, those due for longest first; answers how many."""
    now = timezone.now()
    waiting = WebhookMessage.objects.filter(status=WebhookMessage.Status.WAITING)
    room = AT_MOST - waiting.filter(queued_at__gt=now - QUEUED_AGAIN_AFTER).count()
    lost = Q(queued_at=None) | Q(queued_at__lte=now - QUEUED_AGAIN_AFTER)
    locked = waiting.select_for_update(skip_locked=True, no_key=True, of=("self",))
    chosen = [message.pk for message in locked.filter(due(now), lost).order_by("next_try_at")[: max(room, 0)]]
    for pk in chosen:
        async_task("ingestion.tasks.send_webhook", pk, task_name=f"send webhook message {pk}")
    WebhookMessage.objects.filter(pk__in=chosen).update(queued_at=now)
    return len(chosen)
