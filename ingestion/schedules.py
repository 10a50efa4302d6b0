"""The schedules of KCX, written by code after every migrate."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django_q.models import Schedule

# For ever, and nothing but the task: a hook would be run like one.
PLAIN: dict[str, Any] = {"repeats": -1, "args": None, "kwargs": None, "hook": None, "cluster": None}
EVERY_MINUTE: dict[str, Any] = {**PLAIN, "schedule_type": Schedule.MINUTES, "minutes": 1}
EVERY_NIGHT: dict[str, Any] = {**PLAIN, "schedule_type": Schedule.DAILY}
EVERY_WEEK: dict[str, Any] = {**PLAIN, "schedule_type": Schedule.WEEKLY}
TICK = "kcx:tick"
SCHEDULES: dict[str, dict[str, Any]] = {
    TICK: {**EVERY_MINUTE, "func": "ingestion.tasks.tick"},
    "kcx:sweep": {**EVERY_MINUTE, "func": "ingestion.tasks.sweep"},
    "kcx:check-access": {**EVERY_NIGHT, "func": "ingestion.tasks.check_access_weekly"},
    "kcx:analyze": {**EVERY_NIGHT, "func": "ingestion.tasks.analyze"},
    "kcx:verify-sample": {**EVERY_WEEK, "func": "ingestion.tasks.verify_sample"},
}
# No next run is further off: a nightly one may first run in the night after the next.
FURTHEST = {
    Schedule.MINUTES: timedelta(minutes=2),
    Schedule.DAILY: timedelta(hours=28),
    Schedule.WEEKLY: timedelta(days=7, hours=1),
}


def ensure_schedules(**_signal: object) -> None:
    """Make the schedule table say exactly this; a schedule that is right keeps its next run.

    The table's constraints (migration 0007) let nothing else in: a malformed row would stop all schedules.
    """
    Schedule.objects.exclude(name__in=SCHEDULES).delete()
    mend_schedules()


def mend_schedules() -> list[str]:
    """Write anew each schedule of KCX's that is missing, was changed, or has no next run in its time.

    Answers their names.
    """
    found = {schedule.name: schedule for schedule in Schedule.objects.filter(name__in=SCHEDULES)}
    wrong = [name for name in SCHEDULES if name not in found or not _right(found[name])]
    for name in wrong:
        anew = {**SCHEDULES[name], "next_run": _first_run(SCHEDULES[name])}
        Schedule.objects.update_or_create(name=name, defaults=anew)
    return wrong


def tick_due_since() -> datetime | None:
    """Since when the tick waits for a cluster to see that it is due; None where it is not due."""
    due = Schedule.objects.filter(name=TICK, next_run__lt=timezone.now())
    since: datetime | None = due.values_list("next_run", flat=True).first()
    return since


def _right(found: Schedule) -> bool:
    """Is it as the code says, and does it run within its time?"""
    wanted = SCHEDULES[found.name]
    latest = timezone.now() + FURTHEST[wanted["schedule_type"]]
    in_time = found.next_run is not None and found.next_run <= latest
    return in_time and all(getattr(found, field) == value for field, value in wanted.items())


def _first_run(wanted: dict[str, Any]) -> datetime:
    now = timezone.now()
    if wanted["schedule_type"] != Schedule.MINUTES:
        return now.astimezone(UTC).replace(hour=3, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now
