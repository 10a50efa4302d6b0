"""KCX's schedules: written by every migrate, once each, exactly as the code says."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import Schedule

from ingestion.schedules import SCHEDULES, TICK, ensure_schedules, mend_schedules, tick_due_since

pytestmark = pytest.mark.django_db(transaction=True)


def migrate() -> None:
    call_command("migrate", verbosity=0)


def kept() -> dict[str, dict[str, Any]]:
    """What the table says of KCX's schedules."""
    fields = ("func", "schedule_type", "minutes", "repeats", "pk", "next_run")
    return {row.pop("name"): row for row in Schedule.objects.values("name", *fields)}


@pytest.fixture(autouse=True)
def nothing_scheduled(transactional_db: None) -> None:
    Schedule.objects.all().delete()


def test_migrate_makes_every_schedule_once_however_often_it_runs() -> None:
    migrate()
    first = kept()
    assert {name: (row["func"], row["schedule_type"], row["minutes"]) for name, row in first.items()} == {
        "kcx:tick": ("ingestion.tasks.tick", Schedule.MINUTES, 1),
        "kcx:sweep": ("ingestion.tasks.sweep", Schedule.MINUTES, 1),
        "kcx:check-access": ("ingestion.tasks.check_access_weekly", Schedule.DAILY, None),
        "kcx:analyze": ("ingestion.tasks.analyze", Schedule.DAILY, None),
        "kcx:verify-sample": ("ingestion.tasks.verify_sample", Schedule.WEEKLY, None),
    }
    assert {row["repeats"] for row in first.values()} == {-1}, "for ever"
    migrate()
    assert kept() == first, "a schedule that is right keeps its next run"


def test_the_minutely_ones_run_at_once_and_the_nightly_one_at_night() -> None:
    ensure_schedules()
    rows = kept()
    now = timezone.now()
    assert now - timedelta(minutes=1) < rows["kcx:tick"]["next_run"] <= now
    at_night = rows["kcx:analyze"]["next_run"]
    assert now < at_night <= now + timedelta(hours=27)
    assert (at_night.hour, at_night.minute) == (3, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"func": "ingestion.tasks.discover"},
        {"args": "1"},
        {"minutes": 60},
        {"schedule_type": Schedule.HOURLY},
        {"repeats": 0},
        {"cluster": "elsewhere"},
        {"next_run": None},
        {"next_run": datetime(2036, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_schedule_that_somebody_changed_is_mended(change: dict[str, Any]) -> None:
    ensure_schedules()
    Schedule.objects.filter(name="kcx:tick").update(**change)
    migrate()
    assert Schedule.objects.filter(name="kcx:tick", **change).count() == 0
    tick = Schedule.objects.get(name="kcx:tick")
    assert {field: getattr(tick, field) for field in SCHEDULES["kcx:tick"]} == SCHEDULES["kcx:tick"]


@pytest.mark.parametrize(
    ("name", "ahead"), [("kcx:tick", 1), ("kcx:analyze", 27 * 60), ("kcx:verify-sample", 7 * 24 * 60)]
)
def test_a_schedule_that_runs_within_its_time_keeps_its_next_run(name: str, ahead: int) -> None:
    ensure_schedules()
    next_run = timezone.now() + timedelta(minutes=ahead)
    Schedule.objects.filter(name=name).update(next_run=next_run)
    assert mend_schedules() == []
    Schedule.objects.filter(name=name).update(next_run=next_run + timedelta(hours=2))
    assert mend_schedules() == [name]


def test_the_tick_is_due_from_its_next_run_on() -> None:
    ensure_schedules()
    Schedule.objects.filter(name=TICK).update(next_run=timezone.now() + timedelta(minutes=1))
    assert tick_due_since() is None
    due = timezone.now() - timedelta(hours=1)
    Schedule.objects.filter(name=TICK).update(next_run=due)
    assert tick_due_since() == due


def test_a_schedule_of_an_older_release_goes() -> None:
    ensure_schedules()
    Schedule.objects.create(name="kcx:former", func="ingestion.tasks.former", schedule_type=Schedule.DAILY)
    migrate()
    assert set(Schedule.objects.values_list("name", flat=True)) == set(SCHEDULES)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"func": "os.system"}, "runs_a_task_of_kcx"),
        ({"func": "ingestion.tasks.tick.__globals__"}, "runs_a_task_of_kcx"),
        ({"func": "ingestion.tasks.tick\nos.system"}, "runs_a_task_of_kcx"),
        ({"args": "'halt'"}, "takes_one_number"),
        ({"args": "1, 2"}, "takes_one_number"),
        ({"args": "("}, "takes_one_number"),
        ({"args": "007"}, "takes_one_number"),
        ({"args": "9" * 5000}, "takes_one_number"),
        ({"kwargs": "x=1"}, "takes_no_options"),
        ({"hook": "os.system"}, "takes_no_options"),
        ({"intended_date_kwarg": "day"}, "takes_no_options"),
        ({"schedule_type": Schedule.CRON, "cron": "0 0 31 2 *"}, "repeats_plainly"),
        ({"schedule_type": Schedule.ONCE}, "repeats_plainly"),
        ({"minutes": 0}, "minutes"),
        ({"minutes": None}, "minutes"),
        ({"name": None}, "has_a_name"),
        ({"name": "theirs"}, "has_a_name"),
        ({"name": "kcx:sweep"}, "name_once"),
    ],
)
def test_a_malformed_schedule_is_refused_by_the_database(change: dict[str, Any], constraint: str) -> None:
    ensure_schedules()
    before = kept()
    with pytest.raises(IntegrityError, match=f"kcx_schedule_{constraint}"):
        Schedule.objects.filter(name="kcx:tick").update(**change)
    assert kept() == before


def test_every_schedule_calls_a_task_that_is_there_and_takes_nothing() -> None:
    for wanted in SCHEDULES.values():
        assert import_string(wanted["func"]).__code__.co_argcount == 0


def test_every_task_is_called_by_a_name_that_is_there() -> None:
    source = (Path(__file__).parents[2] / "ingestion" / "queueing.py").read_text()
    for name in ("ingestion.tasks.discover", "ingestion.tasks.load"):
        assert name in source
        assert import_string(name).__code__.co_argcount == 1, "every task takes one number"
