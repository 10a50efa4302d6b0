"""When the next delivery is expected, learned from the deliveries of the running month."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from django.db import connection

LEARNED_FROM = 10  # deliveries at most
FEWEST = 3
# Files that come by key come in parts: those so close to each other are one delivery. What comes closer than
# this all the time has no cadence that can be told, and is never late.
SAME_DELIVERY = timedelta(minutes=15)
NEWEST_KEYS = 200  # of an export: some days of dumps in many parts
# AWS's refreshes come a few times a day at no fixed hour: so much later than usual is still on time.
LEAST_GRACE = timedelta(hours=2)

# The two newest periods of each export, for on the first of a month the running one has told nothing yet;
# where files come by key, its newest keys, and of these the last of each lot that came together. Each by an
# index from its end: cheap however long the history.
LAST_DELIVERIES = """
SELECT e.connection_id, e.id, e.decision = 'LOAD', ARRAY(
    SELECT d.delivered_at FROM ingestion_delivery d
    WHERE d.scope_id = s.id ORDER BY d.delivered_at DESC LIMIT %(n)s
)
FROM ingestion_export e CROSS JOIN LATERAL (
    SELECT id FROM ingestion_deliveryscope WHERE export_id = e.id AND key = ''
    ORDER BY billing_period_start DESC LIMIT 2
) s
UNION ALL
SELECT e.connection_id, e.id, e.decision = 'LOAD', ARRAY(
    SELECT delivered_at FROM (
        SELECT d.delivered_at, lead(d.delivered_at) OVER (ORDER BY d.delivered_at) AS following FROM (
            SELECT id FROM ingestion_deliveryscope WHERE export_id = e.id AND key <> ''
            ORDER BY id DESC LIMIT %(keys)s
        ) k CROSS JOIN LATERAL (
            SELECT delivered_at FROM ingestion_delivery WHERE scope_id = k.id
            ORDER BY delivered_at DESC LIMIT %(n)s
        ) d
    ) t WHERE following IS NULL OR following - delivered_at > make_interval(secs => %(same)s)
    ORDER BY delivered_at DESC LIMIT %(n)s
) FROM ingestion_export e
"""


@dataclass(frozen=True, slots=True)
class Cadence:
    """The last delivery seen, the usual gap between two, None where unknown. `expected`: the next one."""

    last: datetime | None = None
    gap: timedelta | None = None

    @property
    def expected(self) -> datetime | None:
        """One usual gap after the last delivery; None with too few deliveries to tell."""
        return self.last + self.gap if self.last and self.gap else None

    def late_since(self, now: datetime) -> datetime | None:
        """When it was expected, if that is longer ago than half a gap, and two hours."""
        if self.expected is None or self.gap is None:
            return None
        return self.expected if now > self.expected + max(self.gap / 2, LEAST_GRACE) else None


def learn(periods: Iterable[list[datetime]]) -> Cadence:
    """From the deliveries of an export's newest periods (newest period first, any order within)."""
    newest_first = [sorted(set(times), reverse=True) for times in periods]
    last = max((times[0] for times in newest_first if times), default=None)
    for times in newest_first:
        if len(times) >= FEWEST:
            seconds = [(later - earlier).total_seconds() for later, earlier in pairwise(times)]
            return Cadence(last, timedelta(seconds=median(seconds)))
    return Cadence(last)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Of a connection: its last delivery, the first one expected of its exports, and the first one late."""

    last: datetime | None = None
    expected: datetime | None = None
    late_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExportCadence:
    """The cadence of one export; `loaded`: staff decided to load it."""

    connection_id: int
    export_id: int
    loaded: bool
    cadence: Cadence


def export_cadences() -> list[ExportCadence]:
    """Of every export, also of those without deliveries."""
    periods: dict[tuple[int, int, bool], list[list[datetime]]] = defaultdict(list)
    with connection.cursor() as cursor:
        same = SAME_DELIVERY.total_seconds()
        cursor.execute(LAST_DELIVERIES, {"n": LEARNED_FROM, "keys": NEWEST_KEYS, "same": same})
        for connection_id, export_id, loaded, times in cursor.fetchall():
            periods[connection_id, export_id, loaded].append(times)
    return [ExportCadence(*which, learn(times)) for which, times in periods.items()]


def expectations(now: datetime) -> dict[int, Expectation]:
    """By connection id; those without deliveries are missing. Only exports that are loaded are expected."""
    by_connection: dict[int, list[tuple[Cadence, bool]]] = defaultdict(list)
    for one in export_cadences():
        by_connection[one.connection_id].append((one.cadence, one.loaded))
    return {connection_id: _of_connection(found, now) for connection_id, found in by_connection.items()}


def _of_connection(found: list[tuple[Cadence, bool]], now: datetime) -> Expectation:
    loaded = [cadence for cadence, is_loaded in found if is_loaded]
    return Expectation(
        last=max((cadence.last for cadence, _ in found if cadence.last), default=None),
        expected=min((at for cadence in loaded if (at := cadence.expected)), default=None),
        late_since=min((at for cadence in loaded if (at := cadence.late_since(now))), default=None),
    )
