"""The record of what people did."""

from collections.abc import Iterable
from typing import Any

from ingestion.models import ClientConnection, SourceFile, StaffAction
from ingestion.models.staff import CLIENT_IDS


def record(
    actor: str,
    action: str,
    *,
    connection: ClientConnection | None = None,
    source_file: SourceFile | None = None,
    reason: str = "",
    detail: dict[str, Any] | None = None,
    clients: Iterable[int] = (),
) -> StaffAction:
    """Write down one action, in the caller's transaction; a file's connection is filled in.

    `clients`: the ids of those it concerns where it is of no connection.
    """
    concerned = {CLIENT_IDS: sorted(clients)} if clients else {}
    if source_file and not connection:
        connection = source_file.connection
    return StaffAction.objects.create(
        actor=actor,
        action=action,
        connection=connection,
        source_file=source_file,
        reason=reason,
        detail={**(detail or {}), **concerned},
    )
