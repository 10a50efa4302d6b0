"""What waits in KCX's own tables -> tasks in the queue. The queue may lose or double any of them."""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django_q.models import OrmQ, Task
from django_q.tasks import async_task

from ingestion.access.state import reachable
from ingestion.models import AccessCheck, ClientConnection, Export, SourceFile
from ingestion.models.connection import PURGED
from ingestion.pipeline.update_registry import due, locked
from ingestion.staff_actions import record

# A file that nobody has begun by then, and whose task waits no more, is queued again: the task is lost where
# its process died between taking it and the attempt. One sweep may see it too early; the next does not.
QUEUED_AGAIN_AFTER = timedelta(minutes=1)
LOAD = "ingestion.tasks.load"
DISCOVER = "ingestion.tasks.discover"
CHECK_ACCESS = "ingestion.tasks.check_access"
# Asked each night at the same hour: with whole days the check of a week ago would be some minutes too young.
CHECKED_EVERY = timedelta(days=6, hours=12)
FAILED_TASKS_KEPT = timedelta(days=30)


def waiting_files() -> QuerySet[SourceFile]:
    """Files that are due and wanted, newest billing period first."""
    wanted = Q(
        connection__enabled=True, connection__client__enabled=True, export__decision=Export.Decision.LOAD
    )
    newest_first = F("billing_period_start").desc(nulls_last=True)
    return SourceFile.objects.filter(due(timezone.now()), wanted).order_by(newest_first, "pk")


def loadable_files() -> QuerySet[SourceFile]:
    """Those that wait, but for connections whose newest discovery was refused."""
    return waiting_files().filter(connection__in=reachable().values("pk"))


@transaction.atomic
def queue_due_discoveries() -> int:
    """Queue a discovery for each connection that is due; its next one is set in the same transaction.

    Where one waits in the queue already none is added: however long the workers are away, they find one of
    each connection. Answers how many were queued.
    """
    now = timezone.now()
    waiting = waiting_numbers(DISCOVER)
    due_connections = ClientConnection.objects.filter(
        enabled=True, client__enabled=True, next_discovery_at__lte=now
    ).select_for_update(skip_locked=True, no_key=True, of=("self",))
    for client_connection in due_connections:
        client_connection.next_discovery_at = now + client_connection.discover_every
        client_connection.save(update_fields=["next_discovery_at"])
    queued = [connection.pk for connection in due_connections if connection.pk not in waiting]
    for connection_id in queued:
        queue_discovery(connection_id)
    return len(queued)


def queue_discovery(connection_id: int) -> None:
    """Queue one discovery."""
    async_task(DISCOVER, connection_id, task_name=f"discover connection {connection_id}")


@transaction.atomic
def request_discovery(connection: ClientConnection, person: str) -> None:
    """Queue a discovery that a person asks for; its run and the record name the person.

    Raises ValidationError where nobody may look into the bucket yet.
    """
    why_not = connection.why_not_discovered()
    if why_not:
        raise ValidationError(why_not)
    ClientConnection.objects.filter(pk=connection.pk).update(discovery_requested_by=person)
    record(person, "discover", connection=connection)
    queue_discovery(connection.pk)


@transaction.atomic
def discovery_requested_by(connection_id: int) -> str:
    """Who asked for the discovery that begins now, once; '' where the schedule did."""
    connections = ClientConnection.objects.filter(pk=connection_id)
    asked = connections.select_for_update(no_key=True).values_list("discovery_requested_by", flat=True).get()
    connections.update(discovery_requested_by="")
    return asked


def may_discover(connection_id: int, person: str) -> bool:
    """May the discovery begin that this person asked for, or ('') the schedule? Not once it was disabled."""
    connection = ClientConnection.objects.select_related("client").get(pk=connection_id)
    return bool(person or connection.enabled) and not connection.why_not_discovered()


def queue_requested_discovery(connection_id: int) -> None:
    """Queue the discovery that a person asked for while another one ran."""
    if ClientConnection.objects.filter(pk=connection_id).exclude(discovery_requested_by="").exists():
        queue_discovery(connection_id)


@transaction.atomic
def queue_access_check(connection_id: int, actor: str) -> AccessCheck:
    """Queue one access check; answers the row that tells how it goes, an older one where it waits or runs.

    One that waits is queued again: its task may be lost, and a second does nothing. Raises ValidationError
    where the connection was purged.
    """
    connection = ClientConnection.objects.select_for_update(no_key=True).get(pk=connection_id)
    if connection.purged_at:
        raise ValidationError(PURGED)
    running = connection.access_checks.filter(outcome=AccessCheck.Outcome.RUNNING).first()
    if running and running.rungs:
        return running
    check = running or AccessCheck.objects.create(connection=connection, actor=actor)
    name = f"check access of connection {connection_id}"
    transaction.on_commit(
        lambda: async_task(CHECK_ACCESS, check.pk, task_name=name),
    )
    return check


def queue_due_access_checks(actor: str) -> int:
    """Queue a check of each enabled connection that its newest one did not let in as it is now, or long ago.

    Answers how many.
    """
    enabled = ClientConnection.objects.filter(enabled=True, client__enabled=True)
    newest = AccessCheck.objects.filter(outcome__in=AccessCheck.CONCLUSIVE).order_by("connection_id", "-pk")
    since = timezone.now() - CHECKED_EVERY
    good = [
        check.connection_id
        for check in newest.distinct("connection_id").select_related("connection").defer("rungs")
        if check.let_in and check.ended_at and check.ended_at > since
        if check.subject == check.connection.subject
    ]
    waiting = AccessCheck.objects.filter(connection=OuterRef("pk"), outcome=AccessCheck.Outcome.RUNNING)
    due_now = enabled.exclude(pk__in=good).filter(~Exists(waiting)).values_list("pk", flat=True)
    return len([queue_access_check(connection_id, actor) for connection_id in due_now])


def waiting_numbers(function: str, *, taken: bool = False) -> set[int]:
    """The numbers with which tasks of `function` wait in the queue; `taken`: or are taken by a cluster."""
    entries = OrmQ.objects.all() if taken else OrmQ.objects.filter(lock__lte=timezone.now())
    tasks = [entry.task for entry in entries]
    # Of what another SECRET_KEY has signed only an id is told, and the next cluster that meets it drops it.
    return {task["args"][0] for task in tasks if task.get("func") == function}


def tasks_before(function: str, number: int) -> int:
    """How many tasks in the queue come before that of `function` with this number; 0 where it is taken."""
    free = OrmQ.objects.filter(lock__lte=timezone.now()).order_by("pk")
    for before, task in enumerate(entry.task for entry in free):
        if task.get("func") == function and task["args"][0] == number:
            return before
    return 0


def release_tasks() -> int:
    """Give out again every task that a cluster has taken; answers how many. For when a cluster has died.

    Which ones it held nobody knows: those that run elsewhere are doubled, which is harmless.
    """
    now = timezone.now()
    released: int = OrmQ.objects.filter(lock__gt=now).update(lock=now)
    return released


def forget_failed_tasks() -> int:
    """Delete django-q2's records of tasks that failed long ago; answers how many. It keeps them for ever.

    What was tried on which file, and what came of it, is told by KCX's own attempts and runs: they stay.
    """
    old = Task.objects.filter(success=False, stopped__lt=timezone.now() - FAILED_TASKS_KEPT)
    deleted: int = old.delete()[0]
    return deleted


@transaction.atomic
def queue_loads(files: QuerySet[SourceFile] | None = None) -> int:
    """Queue a load for each waiting file (among `files`) that has none, as far as the queue has room.

    Answers how many.
    """
    now = timezone.now()
    waiting = waiting_numbers(LOAD)
    room = max(settings.KCX_QUEUE_DEPTH - len(waiting), 0)
    lost = Q(queued_at=None) | Q(queued_at__lt=now - QUEUED_AGAIN_AFTER)
    among = Q(pk__in=files.values("pk")) if files is not None else Q()
    unqueued = ~Q(pk__in=waiting)
    chosen = list(locked(loadable_files().filter(lost, unqueued, among))[:room])
    for file in chosen:
        async_task(LOAD, file.pk, task_name=f"load file {file.pk}")
    SourceFile.objects.filter(pk__in=[file.pk for file in chosen]).update(queued_at=now)
    return len(chosen)
