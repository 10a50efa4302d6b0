"""The record of what people did."""

from typing import Any

from ingestion.models import ClientConnection, SourceFile, StaffAction


def record(
    actor: str,
    action: str,
    *,
    connection: ClientConnection | None = None,
    source_file: SourceFile | None = None,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> StaffAction:
    """Write down one action, in the caller's transaction; a file's connection is filled in."""
    if source_file and not connection:
        connection = source_file.connection
    return StaffAction.objects.create(
        actor=actor,
        action=action,
        connection=connection,
        source_file=source_file,
        reason=reason,
        detail=detail or {},
    )
