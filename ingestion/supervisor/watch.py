"""Decides from signs of life whether a cluster hangs. Pure: knows no process, database or clock."""

from dataclasses import dataclass
from datetime import datetime

# A cluster looks at the schedules every half minute, and later where the machine is slow.
SECONDS_BETWEEN_SCHEDULES = 60.0


@dataclass(frozen=True, slots=True)
class Pulse:
    """When a task last began and ended in a cluster, and when an end was last recorded.

    `due_since`: when a schedule became due that no cluster has looked at yet; None where none is due.
    """

    begun_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    due_since: datetime | None = None


class Watch:
    """Watches one cluster, by the seconds of a steady clock.

    A process of the cluster that is killed while it waits for the next task or result takes the queue's lock
    with it: all others then wait for ever, and look idle. So a free process and no task for long is a hang,
    as tasks come all the time: the supervisor queues one itself when it is quiet. Where no process is left,
    none is free, and none works: that is a hang too. A sentinel may hang beside processes that live; then no
    schedule runs, and nothing is listed or swept.
    """

    def __init__(self, stale_after: float, now: float) -> None:
        self._stale_after = stale_after
        self._pulse = Pulse()
        self._alive_at = self._recorded_at = self._scheduled_at = self._beat_at = now

    def look(self, pulse: Pulse | None, now: float, *, free: bool) -> str:
        """Why the cluster has to be started anew; '' where it need not.

        `pulse` is None where the database could not be asked, or takes no writes: nobody is blamed then.
        `free`: could the cluster take a task, or has it nobody left to take one?
        """
        if pulse is None:
            self._alive_at = self._recorded_at = self._scheduled_at = now
            return ""
        if not free or (pulse.begun_at, pulse.ended_at) != (self._pulse.begun_at, self._pulse.ended_at):
            self._alive_at = now
        if _all_recorded(pulse) or pulse.recorded_at != self._pulse.recorded_at:
            self._recorded_at = now
        if pulse.due_since is None or pulse.due_since != self._pulse.due_since:
            self._scheduled_at = now
        self._pulse = pulse
        return self._fault(now)

    def wants_beat(self, now: float) -> bool:
        """True, once in a while, where the cluster is quiet and a task would tell whether it works."""
        quiet = min(now - self._alive_at, now - self._beat_at) > self._stale_after / 3
        if quiet:
            self._beat_at = now
        return quiet

    def _fault(self, now: float) -> str:
        for_long = f"for {self._stale_after:.0f} seconds."
        if now - self._alive_at > self._stale_after:
            return f"No task was taken, though a process was free or none was left, {for_long}"
        if now - self._recorded_at > self._stale_after:
            return f"Tasks ended and were not recorded {for_long}"
        if now - self._scheduled_at > self._stale_after + SECONDS_BETWEEN_SCHEDULES:
            return f"A schedule was due and nobody looked at it {for_long}"
        return ""


def _all_recorded(pulse: Pulse) -> bool:
    if pulse.ended_at is None:
        return True
    return pulse.recorded_at is not None and pulse.recorded_at >= pulse.ended_at
