"""When a cluster is held to hang, second by second."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ingestion.supervisor.watch import Pulse, Watch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORKED = Pulse(NOON, NOON, NOON)


def later(pulse: Pulse, seconds: int) -> Pulse:
    return Pulse(*(moment + timedelta(seconds=seconds) for moment in (NOON, NOON, NOON)))


def test_a_free_process_and_no_task_for_long_is_a_hang() -> None:
    watch = Watch(60, now=0)
    assert watch.look(WORKED, 1, idle=True) == ""
    assert watch.look(WORKED, 61, idle=True) == ""
    assert watch.look(WORKED, 62, idle=True) == "A process was free and took no task for 60 seconds."


def test_a_cluster_that_never_took_a_task_hangs_too() -> None:
    watch = Watch(60, now=0)
    assert watch.look(Pulse(), 60, idle=True) == ""
    assert watch.look(Pulse(), 61, idle=True)


def test_every_task_that_begins_or_ends_proves_life() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 600, 50):
        assert watch.look(later(WORKED, now), now, idle=True) == ""


def test_a_cluster_whose_processes_are_all_busy_may_take_hours() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 20_000, 50):
        assert watch.look(WORKED, now, idle=False) == ""
    assert watch.look(WORKED, 20_000, idle=True) == "", "a process has only just become free"


def test_nobody_is_blamed_while_the_database_cannot_be_asked() -> None:
    watch = Watch(60, now=0)
    for now in range(0, 1000, 50):
        assert watch.look(None, now, idle=True) == ""
    assert watch.look(WORKED, 1009, idle=True) == ""
    assert watch.look(WORKED, 1070, idle=True)


def test_ends_that_are_never_recorded_are_a_hang() -> None:
    watch = Watch(60, now=0)
    watch.look(WORKED, 0, idle=True)
    reasons = []
    for now in range(10, 100, 10):
        pulse = replace(later(WORKED, now), recorded_at=WORKED.recorded_at)
        reasons.append(watch.look(pulse, now, idle=True))
    assert reasons.index("Tasks ended and were not recorded for 60 seconds.") == 6
    assert set(reasons[:6]) == {""}


def test_an_end_after_hours_of_work_is_not_held_to_be_unrecorded_at_once() -> None:
    watch = Watch(60, now=0)
    watch.look(WORKED, 19_999, idle=False)
    ended = replace(later(WORKED, 20_000), recorded_at=WORKED.recorded_at)
    assert watch.look(ended, 20_000, idle=True) == ""
    assert watch.look(later(WORKED, 20_001), 20_001, idle=True) == ""


def test_a_quiet_cluster_is_asked_for_a_beat_once_in_a_while() -> None:
    watch = Watch(60, now=0)
    asked = []
    for now in range(1, 60):
        watch.look(WORKED if now > 1 else Pulse(), now, idle=True)
        if watch.wants_beat(now):
            asked.append(now)
    assert asked == [23, 44]


def test_a_busy_cluster_is_not_asked_for_a_beat() -> None:
    watch = Watch(60, now=0)
    for now in range(100):
        watch.look(later(WORKED, now), now, idle=True)
        assert not watch.wants_beat(now)
