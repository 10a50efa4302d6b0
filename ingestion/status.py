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
    return [_status(connection) for connection in _counted_connections()]


def _counted_connections() -> "list[ClientConnection]":
    counted = {
        status.lower(): Count("files", filter=Q(files__status=status)) for status in SourceFile.Status.values
    }
    return list(
        ClientConnection.objects.annotate(
            **counted, rows=Sum("files__row_count", default=0), last_ingested_at=Max("files__ingested_at")
        ).order_by("name")
    )


def _status(connection: ClientConnection) -> ConnectionStatus:
    return ConnectionStatus(
        connection_id=connection.pk,
        name=connection.name,
        enabled=connection.enabled and connection.client.enabled,
        files=FileCounts(*(getattr(connection, status.lower()) for status in SourceFile.Status.values)),
        rows=getattr(connection, "rows"),
        last_discovered_at=connection.last_discovered_at,
        last_ingested_at=getattr(connection, "last_ingested_at"),
    )
