"""Compares the receipt of a connection's purge with the connection, and with the receipts of its files."""

from collections.abc import Iterator
from typing import Any

from ingestion.models import ClientConnection
from ingestion.receipts import as_written, body_of, erased
from ingestion.verification.report import Report


def compare_purge(connection: ClientConnection, report: Report) -> None:
    """The connection is purged if a receipt says so, and only then; what had been loaded was erased."""
    receipt = connection.receipts.filter(kind="PURGE").order_by("-sequence").first()
    if receipt is None:
        if connection.purged_at:
            report.differs("no_receipt", "The connection is purged, but no receipt is of that.")
        return
    body = body_of(receipt)
    expected = {"purged_at": connection.purged_at, **erased(_loaded_before(connection, receipt.sequence))}
    for name, value in as_written(expected).items():
        report.expect(
            "registry", f"{name} of the purge, by receipt {receipt.sequence}", body.get(name), value
        )


def _loaded_before(connection: ClientConnection, sequence: int) -> Iterator[dict[str, Any]]:
    """Each file's last receipt up to there, as `erased` takes it."""
    receipts = connection.receipts.filter(kind="FILE", sequence__lt=sequence)
    last = receipts.order_by("source_file_id", "-sequence").distinct("source_file_id")
    for receipt in last.iterator():
        body = body_of(receipt)
        rows = body.get("rows")
        yield {
            "id": receipt.source_file_id,
            "key": body.get("key"),
            "etag": body.get("etag"),
            "row_count": rows if isinstance(rows, int) else 0,
            "rows_sha256": body.get("rows_sha256"),
            "receipt": receipt.sequence,
        }
