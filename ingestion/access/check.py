"""Runs access checks: one at a time per connection, each rung committed as it is done."""

import logging
from dataclasses import asdict
from datetime import timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from ingestion.access.enabling import disable
from ingestion.access.ladder import climb
from ingestion.access.refusal import go_on
from ingestion.access.rung import FAILED, WARNING, Rung
from ingestion.access.state import OF_KCX, note_check
from ingestion.aws_uses import recorded
from ingestion.discovery_runs import one_at_a_time
from ingestion.models import AccessCheck, ClientConnection
from ingestion.queueing import CHECK_ACCESS, waiting_numbers

logger = logging.getLogger(__name__)

Outcome = AccessCheck.Outcome
# The first half of the advisory lock's key; discoveries have another.
LOCK_CLASS = 0x4B4359
# A check that nobody has begun by then, and whose task waits no more, is given up: the task is lost.
BEGUN_WITHIN = timedelta(hours=1)


def run_access_check(connection_id: int, actor: str) -> AccessCheck | None:
    """Check a connection's access now. None where a check of it runs already.

    What goes wrong is told by the check that is returned.
    """
    with one_at_a_time(connection_id, LOCK_CLASS) as alone:
        if not alone:
            return None
        _close(AccessCheck.objects.filter(connection=connection_id))
        connection = ClientConnection.objects.get(pk=connection_id)
        return _run(AccessCheck.objects.create(connection=connection, actor=actor))


def run_queued_check(access_check_id: int) -> AccessCheck | None:
    """Do a check that was queued. None where it was begun or closed, or another of its connection runs."""
    queued = AccessCheck.objects.get(pk=access_check_id)
    with one_at_a_time(queued.connection_id, LOCK_CLASS) as alone:
        check = AccessCheck.objects.select_related("connection").get(pk=access_check_id)
        if not alone or check.outcome != Outcome.RUNNING or check.rungs:
            return None
        _close(AccessCheck.objects.filter(connection=check.connection_id).exclude(pk=check.pk))
        return _run(check)


def close_dead_checks() -> int:
    """Close checks whose worker died, or whose task was lost; answers how many.

    Loads may hold a task up for hours: as long as it is in the queue, the check waits with it.
    """
    running = AccessCheck.objects.filter(outcome=Outcome.RUNNING)
    waits = Q(pk__in=waiting_numbers(CHECK_ACCESS, taken=True))
    lost = Q(started_at__lt=timezone.now() - BEGUN_WITHIN) & ~waits
    dead = running.filter(~Q(rungs=[]) | lost)
    closed = 0
    for connection_id in set(dead.values_list("connection", flat=True)):
        with one_at_a_time(connection_id, LOCK_CLASS) as alone:
            closed += _close(dead.filter(connection=connection_id)) if alone else 0
    return closed


def _run(check: AccessCheck) -> AccessCheck:
    def report(rung: Rung) -> None:
        check.rungs.append(asdict(rung))
        check.save(update_fields=["rungs"])

    check.subject = check.connection.subject
    check.save(update_fields=["subject"])
    try:
        with recorded(check.connection_id, f"c{check.pk}", check.actor) as calls:
            outcome = _outcome(climb(check.connection, report, calls))
    except Exception:
        logger.exception("Access check %s broke off", check.pk)
        outcome = Outcome.CRASHED
    check.outcome, check.ended_at = outcome, timezone.now()
    with transaction.atomic():
        check.save(update_fields=["outcome", "ended_at"])
        note_check(check)
        if check.let_in:
            _resume(check.connection_id)
        if outcome == Outcome.FAILED and check.must_stop:
            _disable(check)
    return check


def _resume(connection_id: int) -> None:
    """What was refused before is tried again, and KCX looks at once."""
    go_on(connection_id)
    ClientConnection.objects.filter(pk=connection_id).update(next_discovery_at=timezone.now())


def _disable(check: AccessCheck) -> None:
    """A role that others can use through KCX, or a bucket of another account, is not used a day longer."""
    connection = ClientConnection.objects.get(pk=check.connection_id)
    if connection.enabled:
        what = "the role is unsafe" if check.found_unsafe else "the bucket belongs to another account"
        disable(connection, check.actor, f"Access check {check.pk} found that {what}.")


def _outcome(rungs: list[Rung]) -> Outcome:
    """What failed only by what passes by itself, or is KCX's own, says nothing: it counts as crashed."""
    failed = [rung for rung in rungs if rung.verdict == FAILED]
    if failed:
        untold = all(rung.transient or rung.error in OF_KCX for rung in failed)
        return Outcome.CRASHED if untold else Outcome.FAILED
    return Outcome.WARNED if any(rung.verdict == WARNING for rung in rungs) else Outcome.PASSED


def _close(checks: QuerySet[AccessCheck]) -> int:
    running = checks.filter(outcome=Outcome.RUNNING)
    closed: int = running.update(outcome=Outcome.CRASHED, ended_at=timezone.now())
    return closed
