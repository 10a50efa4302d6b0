"""Decides from signs of life whether a cluster hangs. Pure: knows no process, database or clock."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """When a task last began and ended in a cluster, and when an end was last recorded."""

    begun_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None


class Watch:
    """Watches one cluster, by the seconds of a steady clock.

    A process of the cluster that is killed while it waits for the next task or result takes the queue's lock
    with it: all others then wait for ever, and look idle. So a free process and no task for long is a hang,
    as tasks come all the time: the supervisor queues one itself when it is quiet.
    """

    def __init__(self, stale_after: float, now: float) -> None:
        self._stale_after = stale_after
        self._pulse = Pulse()
        self._alive_at = self._recorded_at = self._beat_at = now

    def look(self, pulse: Pulse | None, now: float, *, idle: bool) -> str:
        """Why the cluster has to be started anew; '' where it need not.

        `pulse` is None where the database could not be asked: nobody is blamed then. `idle`: does a process
        wait for a task?
        """
        if pulse is None:
            self._alive_at = self._recorded_at = now
            return ""
        if not idle or (pulse.begun_at, pulse.ended_at) != (self._pulse.begun_at, self._pulse.ended_at):
            self._alive_at = now
        if _all_recorded(pulse) or pulse.recorded_at != self._pulse.recorded_at:
            self._recorded_at = now
        self._pulse = pulse
        if now - self._alive_at > self._stale_after:
            return f"A process was free and took no task for {self._stale_after:.0f} seconds."
        if now - self._recorded_at > self._stale_after:
            return f"Tasks ended and were not recorded for {self._stale_after:.0f} seconds."
        return ""

    def wants_beat(self, now: float) -> bool:
        """True, once in a while, where the cluster is quiet and a task would tell whether it works."""
        quiet = min(now - self._alive_at, now - self._beat_at) > self._stale_after / 3
        if quiet:
            self._beat_at = now
        return quiet


def _all_recorded(pulse: Pulse) -> bool:
    if pulse.ended_at is None:
        return True
    return pulse.recorded_at is not None and pulse.recorded_at >= pulse.ended_at
