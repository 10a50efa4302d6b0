"""What the queue runs. Every task may be lost, run twice or run at the same time elsewhere."""

from django.db import transaction

from billing.partitions import analyze as analyze_rows
from ingestion import queueing
from ingestion.access.check import close_dead_checks, run_queued_check
from ingestion.discovery_runs import close_dead_runs
from ingestion.models import LoadAttempt
from ingestion.pipeline import run
from ingestion.pipeline.update_registry import record_crash

ACTOR = "schedule"


def tick() -> None:
    """Every minute: queue the discoveries that are due."""
    queueing.queue_due_discoveries()


def beat() -> None:
    """Nothing: that a worker ran it is the sign of life its supervisor asked for."""


def sweep() -> None:
    """Every minute: close what crashed, publish what is complete, queue what waits."""
    close_dead_runs()
    close_dead_checks()
    for attempt in LoadAttempt.objects.filter(outcome=LoadAttempt.Outcome.RUNNING):
        with transaction.atomic():
            record_crash(attempt)
    run.publish_ready()
    queueing.queue_loads()


def discover(connection_id: int) -> None:
    """List one connection, then queue a load for each file that waits, newest billing period first."""
    run.discover(connection_id, ACTOR)
    queueing.queue_loads()


def load(source_file_id: int) -> None:
    """Load one file, if it is due."""
    run.load(source_file_id, ACTOR)


def check_access(access_check_id: int) -> None:
    """Do an access check that waits."""
    run_queued_check(access_check_id)


def check_access_weekly() -> None:
    """Every night: queue a check of each enabled connection that had none for a week."""
    queueing.queue_due_access_checks(ACTOR)


def analyze() -> None:
    """Every night: the planner's statistics of the raw rows."""
    analyze_rows()
