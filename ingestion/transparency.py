"""What KCX did in a client's account between two days: requests by kind, bytes, runs."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Left

from ingestion.models import AwsUse, ClientConnection, StaffAction
from ingestion.models.staff import CLIENT_IDS

# One statement, so one snapshot. Each day comes first by itself, with an empty name, then by operation.
BY_DAY = """
WITH used AS (
    SELECT (started_at AT TIME ZONE 'UTC')::date AS day, bytes_received, calls
    FROM ingestion_awsuse
    WHERE connection_id = %s AND started_at >= %s AND started_at < %s
)
SELECT day, '', count(*), sum(bytes_received) FROM used GROUP BY day
UNION ALL
SELECT day, c.key, sum((c.value->>'sent')::bigint), sum((c.value->>'refused')::bigint)
FROM used CROSS JOIN jsonb_each(calls) c
GROUP BY day, c.key
ORDER BY 1 DESC, 2
"""


@dataclass(slots=True)
class Requests:
    """How many were sent, and of these refused by AWS or never answered."""

    sent: int = 0
    refused: int = 0


@dataclass(slots=True)
class Span:
    """A day or a month: runs, bytes received, requests by operation (as `GetObject`)."""

    name: str
    runs: int = 0
    bytes_received: int = 0
    calls: dict[str, Requests] = field(default_factory=lambda: defaultdict(Requests))

    def in_order(self, operations: list[str]) -> list[Requests]:
        """Of each operation; none sent is zero."""
        return [self.calls.get(operation) or Requests() for operation in operations]


@dataclass(frozen=True, slots=True)
class Period:
    """From one day to another, both inclusive, in UTC."""

    first: date
    last: date

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def end(self) -> datetime:
        """The first moment behind it."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)


def days(connection_id: int, period: Period) -> list[Span]:
    """One Span per day on which anything was asked, newest first."""
    found: dict[date, Span] = {}
    with connection.cursor() as cursor:
        cursor.execute(BY_DAY, [connection_id, period.start, period.end])
        for day, operation, first, second in cursor.fetchall():
            if operation:
                found[day].calls[operation] = Requests(int(first), int(second))
            else:
                found[day] = Span(day.isoformat(), runs=first, bytes_received=int(second))
    return list(found.values())


def months(of_days: list[Span]) -> list[Span]:
    """The same by month, in the same order."""
    found: dict[str, Span] = {}
    for day in of_days:
        month = found.setdefault(day.name[:7], Span(day.name[:7]))
        month.runs += day.runs
        month.bytes_received += day.bytes_received
        for operation, requests in day.calls.items():
            month.calls[operation].sent += requests.sent
            month.calls[operation].refused += requests.refused
    return list(found.values())


def operations(spans: list[Span]) -> list[str]:
    """Those that occur, by name."""
    return sorted({operation for span in spans for operation in span.calls})


def uses(connection_id: int, period: Period) -> QuerySet[AwsUse]:
    """The runs of the period, newest first."""
    of_connection = AwsUse.objects.filter(connection=connection_id)
    within = of_connection.filter(started_at__gte=period.start, started_at__lt=period.end)
    return within.order_by("-started_at", "-id")


def untold(connection_id: int, period: Period) -> list[tuple[str, int]]:
    """How many runs of the period have no end, and so no counts: by kind, as ("Verification", 2)."""
    open_uses = uses(connection_id, period).filter(ended_at=None).annotate(letter=Left("run", 1))
    counted = open_uses.order_by("letter").values_list("letter").annotate(Count("pk"))
    return [(AwsUse.Kind(letter).label, count) for letter, count in counted]


def staff_actions(client_connection: ClientConnection, period: Period) -> QuerySet[StaffAction]:
    """What people did in the period to the connection, or to its client as a whole, newest first."""
    concerns = {f"detail__{CLIENT_IDS}__contains": [client_connection.client_id]}
    of_client = Q(connection=None, **concerns)
    found = StaffAction.objects.filter(Q(connection=client_connection) | of_client)
    return found.filter(at__gte=period.start, at__lt=period.end).select_related("source_file")
