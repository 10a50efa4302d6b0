"""The record of who took a client's rows out."""

from typing import Any

from ingestion.exporting.export import ExportStream
from ingestion.models import ClientConnection
from ingestion.staff_actions import record

# A generic bucket's period may have a delivery for each of very many files.
MOST_DELIVERIES = 50


def note_export(stream: ExportStream, actor: str, action: str, **more: Any) -> None:
    """Write down what is about to be given out, and to whom; the client's transparency page tells it."""
    selection = stream.selection
    detail = {
        "what": selection.what,
        "rows": selection.row_count,
        "files": len(selection.files),
        "delivery_ids": list(selection.delivery_ids[:MOST_DELIVERIES]),
        "selection_sha256": selection.digest,
        "columns": len(stream.columns.names),
        "format": stream.format.value,
    }
    connection = ClientConnection.objects.get(pk=selection.connection_id)
    record(actor, action, connection=connection, detail=detail | more)
