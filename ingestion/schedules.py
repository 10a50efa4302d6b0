"""The schedules of KCX, written by code after every migrate."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django_q.models import Schedule

PREFIX = "kcx:"
EVERY_MINUTE = {"schedule_type": Schedule.MINUTES, "minutes": 1}
SCHEDULES: dict[str, dict[str, Any]] = {
    "kcx:tick": {"func": "ingestion.tasks.tick", **EVERY_MINUTE},
    "kcx:sweep": {"func": "ingestion.tasks.sweep", **EVERY_MINUTE},
    "kcx:analyze": {"func": "ingestion.tasks.analyze", "schedule_type": Schedule.DAILY},
}


def ensure_schedules(**_signal: object) -> None:
    """Make the schedule table say exactly this; a schedule that is right keeps its next run."""
    Schedule.objects.filter(name__startswith=PREFIX).exclude(name__in=SCHEDULES).delete()
    for name, wanted in SCHEDULES.items():
        found = list(Schedule.objects.filter(name=name))
        if len(found) != 1 or any(getattr(found[0], field) != value for field, value in wanted.items()):
            Schedule.objects.filter(name=name).delete()
            Schedule.objects.create(name=name, repeats=-1, next_run=_first_run(wanted), **wanted)


def _first_run(wanted: dict[str, Any]) -> datetime:
    now = timezone.now()
    if wanted["schedule_type"] == Schedule.DAILY:
        return now.astimezone(UTC).replace(hour=3, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return now
