"""The facts that become events, each in the transaction that makes it one."""

from datetime import UTC, date, datetime
from typing import Any

from ingestion.database_errors import DatabaseFull, DatabaseNotReady, DatabaseReadOnly
from ingestion.errors import DatabaseUnavailable, StorageError, UnexpectedError
from ingestion.events.outbox import Kind, record
from ingestion.models import ClientConnection, Delivery, Export, LoadAttempt, SourceFile

# Their messages are the libraries' own, and may hold anything.
UNTOLD = {
    error.code
    for error in (
        *(UnexpectedError, StorageError),
        *(DatabaseUnavailable, DatabaseFull, DatabaseReadOnly, DatabaseNotReady),
    )
}
WHAT_CHANGED = ("files_added", "files_changed", "files_gone")


def told_outside(code: str, message: str) -> str:
    """The message as clients may read it: not where it is none of KCX's own sentences."""
    return "KCX's staff see the details." if code in UNTOLD else message


def delivery_published(delivery: Delivery, before: Delivery | None) -> None:
    """It is current now; where it changed a month that was over, that is told, too."""
    files = list(delivery.files.only("row_count"))
    published = {"files": len(files), "rows": sum(file.row_count or 0 for file in files)}
    told = {**_about(delivery), **published, "published_at": text(delivery.published_at)}
    connection = delivery.scope.export.connection
    record(Kind.DELIVERY_PUBLISHED, str(delivery.pk), connection, told)
    changes = delivery.restatement or {}
    if before and _over(delivery) and any(changes.get(name) for name in WHAT_CHANGED):
        earlier = {"id": before.pk, "snapshot": before.snapshot_id, "delivered_at": text(before.delivered_at)}
        record(
            Kind.MONTH_RESTATED, str(delivery.pk), connection, {**told, "before": earlier, "changes": changes}
        )


def delivery_incomplete(delivery: Delivery) -> None:
    """It cannot be published as it is."""
    told = {**_about(delivery), "reason": delivery.reason}
    record(Kind.DELIVERY_INCOMPLETE, str(delivery.pk), delivery.scope.export.connection, told)


def delivery_late(export: Export, last: datetime, expected: datetime) -> None:
    """Nothing came since `last`, though the export's own cadence had a delivery expected."""
    told = {"export": _export(export), "last_delivered_at": text(last), "expected_at": text(expected)}
    record(Kind.DELIVERY_LATE, f"{export.pk}:{text(last)}", export.connection, told)


def file_failed(file: SourceFile, attempt: LoadAttempt) -> None:
    """Where it failed for good, and waits for a person now; else nothing."""
    if file.status != SourceFile.Status.FAILED or file.next_retry_at:
        return
    message = told_outside(file.error_code, file.error_message)
    told = {
        "export": _export(file.export) if file.export else None,
        "billing_period": _month(file.billing_period_start),
        "file": {"id": file.pk, "key": file.key, "etag": file.etag, "size": file.size},
        "attempt": attempt.pk,
        "error": {"code": file.error_code, "message": message, "next_action": file.next_action},
    }
    record(Kind.FILE_FAILED, str(attempt.pk), file.connection, told)


def access_lost(connection: ClientConnection, found_by: str, code: str, cause: str) -> None:
    """The client's account refuses what it allowed; `found_by` names the check or the discovery."""
    told = {"found_by": found_by, "error": {"code": code, "message": cause}}
    record(Kind.ACCESS_LOST, found_by, connection, told)


def text(moment: datetime | None) -> str | None:
    """As every time in an event: ISO 8601, UTC, to the microsecond."""
    return (
        moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if moment else None
    )


def _about(delivery: Delivery) -> dict[str, Any]:
    scope = delivery.scope
    return {
        "export": _export(scope.export),
        "billing_period": _month(scope.billing_period_start),
        "key": scope.key or None,
        "delivery": {
            "id": delivery.pk,
            "snapshot": delivery.snapshot_id,
            "delivered_at": text(delivery.delivered_at),
        },
    }


def _export(export: Export) -> dict[str, Any]:
    return {"id": export.pk, "name": export.name, "family": export.family}


def _month(start: date | None) -> str | None:
    return f"{start:%Y-%m}" if start else None


def _over(delivery: Delivery) -> bool:
    """Had the billing period ended when AWS delivered this?"""
    start, delivered = delivery.scope.billing_period_start, delivery.delivered_at.astimezone(UTC)
    return start is not None and (start.year, start.month) < (delivered.year, delivered.month)
