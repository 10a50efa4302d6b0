"""What pages tell of a file's next load: what holds it back, and how its last reload ended."""

from dataclasses import dataclass
from typing import Any

from django.db.models import JSONField, OuterRef, Subquery
from django.db.models.functions import JSONObject

from ingestion.access.state import reachable
from ingestion.models import Export, LoadAttempt, SourceFile

_NEWEST = LoadAttempt.objects.filter(source_file=OuterRef("pk")).order_by("-pk")
_TOLD = JSONObject(reload="is_reload", code="error_code", cause="error_message", next_action="next_action")
# Of a source file in a query: what its newest attempt says.
NEWEST_ATTEMPT = Subquery(_NEWEST.values(told=_TOLD)[:1], output_field=JSONField())

DISABLED = "Its connection is disabled: it waits until that is enabled."
UNREACHABLE = "AWS refuses KCX the bucket: it waits until a discovery or an access check succeeds."
NOT_LOADED = {
    None: "It belongs to no export: nothing loads it.",
    Export.Decision.AWAITING: "Its export awaits a decision: it waits until that is “Load”.",
    Export.Decision.IGNORE: "Staff decided not to load its export: it waits until they decide otherwise.",
}


@dataclass(frozen=True, slots=True)
class FailedReload:
    """How the newest reload of a file ended; the rows loaded before it stay."""

    code: str
    cause: str
    next_action: str


def failed_reload(file: SourceFile) -> FailedReload | None:
    """Of a file read with `newest_attempt=NEWEST_ATTEMPT`; None where that was no failed reload."""
    told: dict[str, Any] | None = getattr(file, "newest_attempt", None)
    if file.status != SourceFile.Status.INGESTED or not told or not (told["reload"] and told["code"]):
        return None
    return FailedReload(told["code"], told["cause"], told["next_action"])


def held_back(file: SourceFile) -> str:
    """Why no worker takes the file though it is due; empty where one does."""
    if not (file.connection.enabled and file.connection.client.enabled):
        return DISABLED
    decision = Export.Decision(file.export.decision) if file.export else None
    if decision in NOT_LOADED:
        return NOT_LOADED[decision]
    return "" if reachable().filter(pk=file.connection_id).exists() else UNREACHABLE
