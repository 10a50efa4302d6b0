"""The state of every connection, in figures."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, Sum

from ingestion.models import ClientConnection, SourceFile


@dataclass(frozen=True, slots=True)
class FileCounts:
    """Registered file versions by status."""

    new: int
    ingested: int
    failed: int
    skipped: int


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection; `rows` counts the rows of its ingested files. Times are in UTC."""

    connection_id: int
    name: str
    enabled: bool
    files: FileCounts
    rows: int
    last_discovered_at: datetime | None
    last_ingested_at: datetime | None


def connection_statuses() -> list[ConnectionStatus]:
    """Every connection, by name."""
    by_status = {
        status: Count("files", filter=Q(files__status=status)) for status in SourceFile.Status.values
    }
    counted = ClientConnection.objects.order_by("name").values_list(
        "pk",
        "name",
        "enabled",
        "client__enabled",
        "last_discovered_at",
        Sum("files__row_count", default=0),
        Max("files__ingested_at"),
        *by_status.values(),
    )
    return [
        ConnectionStatus(
            pk, name, enabled and client_enabled, FileCounts(*counts), rows, discovered, ingested
        )
        for pk, name, enabled, client_enabled, discovered, rows, ingested, *counts in counted
    ]
