"""What the queue runs. Every task may be lost, run twice or run at the same time elsewhere."""

from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from billing.partitions import analyze as analyze_rows
from ingestion import queueing
from ingestion.access.check import close_dead_checks, run_queued_check
from ingestion.discovery_runs import close_dead_runs, one_at_a_time
from ingestion.events.noticing import notice
from ingestion.events.queue import queue_messages
from ingestion.events.sending import give_up_old, send
from ingestion.export_views import refresh_stale
from ingestion.models import LoadAttempt
from ingestion.pipeline import run
from ingestion.pipeline.crashes import record_crash
from ingestion.verification import wishes

ACTOR = "schedule"
# The first half of the advisory locks of sweeping and publishing; the second stands for all connections.
SWEEP_LOCK, PUBLISH_LOCK, ALL = 0x4B435A, 0x4B435C, 0


def tick() -> None:
    """Every minute: queue the discoveries that are due."""
    queueing.queue_due_discoveries()


def beat() -> None:
    """Nothing: that a worker ran it is the sign of life its supervisor asked for."""


def sweep() -> None:
    """Every minute: close what crashed, queue what waits, mend views, publish what is complete, tell it.

    One at a time, but publishing waits for AWS: the next sweep does everything else meanwhile. Raises what
    its steps raise, after the last of them.
    """
    mend = (close_dead_runs, close_dead_checks, _close_crashed)
    queue = (queueing.queue_loads, wishes.queue_verifications, refresh_stale)
    tell = (notice, give_up_old, queue_messages)
    wrong = [
        *_alone(SWEEP_LOCK, *mend, *queue),
        *_alone(PUBLISH_LOCK, run.publish_ready),
        *_alone(SWEEP_LOCK, *tell),
    ]
    if wrong:
        raise ExceptionGroup("; ".join(str(error) for error in wrong), wrong)


def discover(connection_id: int) -> None:
    """List one connection, if it still may be, then queue a load for each file that waits."""
    with one_at_a_time(connection_id) as alone:
        if not alone:
            return  # the worker that discovers now looks, at its end, whether a person asked meanwhile
        person = queueing.discovery_requested_by(connection_id)
        if queueing.may_discover(connection_id, person):
            run.discover(connection_id, person or ACTOR)
    queueing.queue_requested_discovery(connection_id)
    queueing.queue_loads()


def load(source_file_id: int) -> None:
    """Load one file, if it is still due and wanted; then top the queue up."""
    file = queueing.loadable_files().filter(pk=source_file_id).only("requested_by").first()
    if file:
        run.load(source_file_id, file.requested_by or ACTOR)
        queueing.queue_loads()


def verify(request_id: int) -> None:
    """Do a verification that was asked for."""
    wishes.fulfil(request_id)


def verify_sample() -> None:
    """Every week: verify KCX_VERIFY_WEEKLY_FILES files against S3, those not verified for longest."""
    wishes.request_sample(settings.KCX_VERIFY_WEEKLY_FILES, ACTOR)


def check_access(access_check_id: int) -> None:
    """Do an access check that waits."""
    run_queued_check(access_check_id)


def check_access_weekly() -> None:
    """Every night: queue a check of each enabled connection that had none for a week."""
    queueing.queue_due_access_checks(ACTOR)


def send_webhook(message_id: int) -> None:
    """Try one message to a webhook, if it is due."""
    send(message_id)


def _close_crashed() -> None:
    for attempt in LoadAttempt.objects.filter(outcome=LoadAttempt.Outcome.RUNNING):
        with transaction.atomic():
            record_crash(attempt)


def _alone(lock: int, *steps: Callable[[], object]) -> list[Exception]:
    """Do the steps, unless another sweep does; one that fails does not keep the next from its work."""
    wrong: list[Exception] = []
    with one_at_a_time(ALL, lock) as alone:
        for step in steps if alone else ():
            try:
                step()
            except Exception as error:  # noqa: BLE001  # raised by the sweep, with the others'
                wrong.append(error)
    return wrong


def analyze() -> None:
    """Every night: the planner's statistics of the raw rows; and old failed tasks go."""
    analyze_rows()
    queueing.forget_failed_tasks()
