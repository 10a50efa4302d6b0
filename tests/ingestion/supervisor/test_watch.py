"""When a cluster is held to hang, second by second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ingestion.supervisor.watch import Pulse, Watch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORKED = Pulse(NOON, NOON, NOON)
NO_TASK = "No task was taken, though a process was free or none was left, for 60 seconds."


def later(pulse: Pulse, seconds: int) -> Pulse:
    return Pulse(*(moment + timedelta(seconds=seconds) for moment in (NOON, NOON, NOON)))


def test_a_free_process_and_no_task_for_long_is_a_hang() -> None:
    watch = Watch(60, now=0)
    assert watch.look(WORKED, 1, free=True) == ""
    assert watch.look(WORKED, 61, free=True) == ""
    assert watch.look(WORKED, 62, free=True) == NO_TASK


def test_a_cluster_that_never_took_a_task_hangs_too() -> None:
    watch = Watch(60, now=0)
    assert watch.look(Pulse(), 60, free=True) == ""
    assert watch.look(Pulse(), 61, free=True)


def test_every_task_that_begins_or_ends_proves_life() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 600, 50):
        assert watch.look(later(WORKED, now), now, free=True) == ""


def test_a_cluster_whose_processes_are_all_busy_may_take_hours() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 20_000, 50):
        assert watch.look(WORKED, now, free=False) == ""
    assert watch.look(WORKED, 20_000, free=True) == "", "a process has only just become free"


def test_nobody_is_blamed_while_the_database_cannot_be_asked() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 1000, 50):
        assert watch.look(None, now, free=True) == ""
    assert watch.look(WORKED, 1009, free=True) == ""
    assert watch.look(WORKED, 1070, free=True)


def test_ends_that_are_never_recorded_are_a_hang() -> None:
    watch = Watch(60, now=0)
    watch.look(WORKED, 0, free=True)
    reasons = []
    for now in range(10, 100, 10):
        pulse = replace(later(WORKED, now), recorded_at=WORKED.recorded_at)
        reasons.append(watch.look(pulse, now, free=True))
    assert reasons.index("Tasks ended and were not recorded for 60 seconds.") == 6
    assert set(reasons[:6]) == {""}


def test_an_end_after_hours_of_work_is_not_held_to_be_unrecorded_at_once() -> None:
    watch = Watch(60, now=0)
    watch.look(WORKED, 19_999, free=False)
    ended = replace(later(WORKED, 20_000), recorded_at=WORKED.recorded_at)
    assert watch.look(ended, 20_000, free=True) == ""
    assert watch.look(later(WORKED, 20_001), 20_001, free=True) == ""


def test_a_quiet_cluster_is_asked_for_a_beat_once_in_a_while() -> None:
    watch = Watch(60, now=0)
    asked = []
    for now in range(1, 60):
        watch.look(WORKED if now > 1 else Pulse(), now, free=True)
        if watch.wants_beat(now):
            asked.append(now)
    assert asked == [23, 44]


def test_a_busy_cluster_is_not_asked_for_a_beat() -> None:
    watch = Watch(60, now=0)
    for now in range(100):
        watch.look(later(WORKED, now), now, free=True)
        assert not watch.wants_beat(now)


def test_a_schedule_that_nobody_looks_at_is_a_hang_though_tasks_are_taken() -> None:
    watch = Watch(60, now=0)
    reasons = {
        now: watch.look(replace(later(WORKED, now), due_since=NOON), now, free=True)
        for now in range(10, 200, 10)
    }
    hung_at = [now for now, reason in reasons.items() if reason]
    assert hung_at[0] == 140, "from the first look that sees it due; a cluster looks every half minute"
    assert reasons[140] == "A schedule was due and nobody looked at it for 60 seconds."


def test_schedules_that_are_looked_at_are_no_hang_however_late_each_is() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 2000, 50):
        due = NOON - timedelta(hours=1) + timedelta(seconds=now // 100 * 60)
        assert watch.look(replace(later(WORKED, now), due_since=due), now, free=True) == ""


def test_no_schedule_is_held_against_a_cluster_while_the_database_cannot_be_asked() -> None:
    watch = Watch(60, now=0)
    due = replace(WORKED, due_since=NOON)
    watch.look(due, 1, free=True)
    for now in range(50, 1000, 50):
        watch.look(None, now, free=True)
    assert watch.look(replace(later(due, 1000), due_since=NOON), 1010, free=True) == ""
