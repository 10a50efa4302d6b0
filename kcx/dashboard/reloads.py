"""Reloads that failed of late, and that nothing tries again; the rows loaded before them stay."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Exists, Max, OuterRef
from django.utils import timezone

from ingestion.models import LoadAttempt, SourceFile

SHOWN_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class FailedReloads:
    """Of one connection and one error code, in a week; `cause` and `next_action` are the newest's."""

    connection_id: int
    connection: str
    code: str
    files: int
    cause: str
    next_action: str


def failed_reloads() -> list[FailedReloads]:
    """By connection's name, of connections that are enabled; a file that was tried since is not told."""
    since = LoadAttempt.objects.filter(source_file=OuterRef("source_file"), pk__gt=OuterRef("pk"))
    failed = LoadAttempt.objects.filter(
        ~Exists(since),
        is_reload=True,
        ended_at__gt=timezone.now() - SHOWN_FOR,
        source_file__status=SourceFile.Status.INGESTED,
        source_file__reload_requested_at=None,
        source_file__connection__enabled=True,
    ).exclude(error_code="")
    groups = list(
        failed.order_by("source_file__connection__name", "error_code")
        .values_list("source_file__connection", "source_file__connection__name", "error_code")
        .annotate(Count("pk"), Max("pk"))
    )
    newest = LoadAttempt.objects.only("error_message", "next_action").in_bulk([pk for *_, pk in groups])
    return [
        FailedReloads(connection, name, code, files, newest[pk].error_message, newest[pk].next_action)
        for connection, name, code, files, pk in groups
    ]
