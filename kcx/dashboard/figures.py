"""What the charts show: rows and bytes per day, the lag behind AWS, the storage of each client."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.utils import timezone

from billing.partitions import partition_sizes
from ingestion.models import ClientConnection

DAYS = 30

# Of attempts, which stay as they are: a file that is loaded again tells nothing of the day it was first.
INGESTED = """
SELECT (ended_at AT TIME ZONE 'UTC')::date, sum(rows)::bigint, sum(bytes_read)::bigint
FROM ingestion_loadattempt WHERE outcome = 'SUCCEEDED' AND ended_at >= %s GROUP BY 1
"""
# What was delivered before KCX knew the connection says nothing of how quick KCX is.
LAG = """
SELECT (d.published_at AT TIME ZONE 'UTC')::date,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM d.published_at - d.delivered_at))
FROM ingestion_delivery d
JOIN ingestion_deliveryscope s ON s.id = d.scope_id
JOIN ingestion_export e ON e.id = s.export_id
JOIN ingestion_clientconnection c ON c.id = e.connection_id
WHERE d.published_at >= %s AND d.delivered_at >= c.created_at GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Day:
    """One day (UTC): rows and bytes of its loads and reloads, and the median lag; None: nothing published."""

    day: date
    rows: int
    bytes: int
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class Storage:
    """The bytes a client's raw rows take in the database, and their share of all in percent."""

    client: str
    bytes: int
    percent: float


def last_days() -> list[Day]:
    """The last thirty days, oldest first, today's so far included."""
    today = timezone.now().astimezone(UTC).date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    since = datetime(days[0].year, days[0].month, days[0].day, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(INGESTED, [since])
        ingested = {day: (rows, size) for day, rows, size in cursor.fetchall()}
        cursor.execute(LAG, [since])
        lag = dict(cursor.fetchall())
    return [Day(day, *ingested.get(day, (0, 0)), lag.get(day)) for day in days]


def storage() -> list[Storage]:
    """Each client's, the largest first."""
    sizes = partition_sizes()
    totals: dict[str, int] = defaultdict(int)
    for connection_id, client in ClientConnection.objects.values_list("pk", "client__name"):
        totals[client] += sizes.get(connection_id, 0)
    everything = sum(totals.values()) or 1
    largest = sorted(totals.items(), key=lambda one: (-one[1], one[0]))
    return [Storage(client, size, 100 * size / everything) for client, size in largest]
