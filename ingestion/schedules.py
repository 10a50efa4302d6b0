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
SCHEDULES: dict[str, dict[str, Any]] = {
    "kcx:tick": {**EVERY_MINUTE, "func": "ingestion.tasks.tick"},
    "kcx:sweep": {**EVERY_MINUTE, "func": "ingestion.tasks.sweep"},
    "kcx:check-access": {**EVERY_NIGHT, "func": "ingestion.tasks.check_access_weekly"},
    "kcx:analyze": {**EVERY_NIGHT, "func": "ingestion.tasks.analyze"},
    "kcx:verify-sample": {**EVERY_WEEK, "func": "ingestion.tasks.verify_sample"},
}


def ensure_schedules(**_signal: object) -> None:
    """Make the schedule table say exactly this; a schedule that is right keeps its next run.

    The table's constraints (migration 0007) let nothing else in: a malformed row would stop all schedules.
    """
    Schedule.objects.exclude(name__in=SCHEDULES).delete()
    for name, wanted in SCHEDULES.items():
        found = Schedule.objects.filter(name=name).first()
        if found is None or any(getattr(found, field) != value for field, value in wanted.items()):
            Schedule.objects.update_or_create(name=name, defaults={**wanted, "next_run": _first_run(wanted)})


def _first_run(wanted: dict[str, Any]) -> datetime:
    now = timezone.now()
    if wanted["schedule_type"] != Schedule.MINUTES:
        return now.astimezone(UTC).replace(hour=3, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now
