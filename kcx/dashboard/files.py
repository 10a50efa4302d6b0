"""Files that wait, load or failed, by connection; asks only the small part of the registry that is open."""

from collections import defaultdict
from dataclasses import dataclass

from django.db.models import Count, Exists, Max, OuterRef, Q

from ingestion.attempts import RUNNING
from ingestion.layouts.keys import KeyLayout
from ingestion.loading import Loading
from ingestion.models import DeliveryFile, Export, LoadAttempt, SourceFile
from ingestion.publish import LIVE
from ingestion.queueing import waiting_files


@dataclass(frozen=True, slots=True)
class Failed:
    """The failed files of a connection with one error code; `cause` and `next_action` are the newest one's.

    `retrying`: KCX tries every one of them again by itself.
    """

    code: str
    files: int
    cause: str
    next_action: str
    retrying: bool


def loading_now() -> dict[int, list[Loading]]:
    """By connection id, the longest first."""
    running = LoadAttempt.objects.filter(outcome=LoadAttempt.Outcome.RUNNING).select_related("source_file")
    found = defaultdict(list)
    for attempt in running.order_by("pk"):
        found[attempt.source_file.connection_id].append(Loading.of(attempt))
    return found


def waiting_by_connection() -> dict[int, int]:
    """How many files are due for a load that has not begun, but for exports that are not to be loaded."""
    waiting = waiting_files().exclude(RUNNING).order_by()
    return dict(waiting.values_list("connection").annotate(files=Count("pk")))


def archived_by_connection() -> dict[int, int]:
    """How many files would load if the client restored them: not those of deliveries that no longer count."""
    held = DeliveryFile.objects.filter(source_file=OuterRef("pk"))
    by_key = Q(export__key_layout=KeyLayout.GENERIC) | Q(export__without_manifests=True)
    archived = SourceFile.objects.filter(
        Exists(held.filter(delivery__status__in=LIVE)) | by_key & ~Exists(held),
        skip_reason=SourceFile.SkipReason.ARCHIVED,
        export__decision=Export.Decision.LOAD,
    )
    return dict(archived.order_by().values_list("connection").annotate(files=Count("pk")))


def failed_by_connection() -> dict[int, list[Failed]]:
    """The failed files of each connection by their error code, the most first: of exports that are loaded."""
    grouped = (
        SourceFile.objects.filter(status=SourceFile.Status.FAILED, export__decision=Export.Decision.LOAD)
        .values("connection_id", "error_code")
        .annotate(files=Count("pk"), newest=Max("pk"), stuck=Count("pk", filter=Q(next_retry_at=None)))
        .order_by("-files")
    )
    groups = list(grouped)
    newest = SourceFile.objects.only("error_message", "next_action").in_bulk([g["newest"] for g in groups])
    found = defaultdict(list)
    for group in groups:
        file = newest.get(group["newest"])
        told = (file.error_message, file.next_action) if file else ("", "")
        found[group["connection_id"]].append(
            Failed(group["error_code"], group["files"], *told, retrying=not group["stuck"])
        )
    return found
