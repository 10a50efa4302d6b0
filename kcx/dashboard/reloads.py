"""Reloads that failed of late, and that nothing tries again; the rows loaded before them stay."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef
from django.utils import timezone

from ingestion.models import Export, LoadAttempt, SourceFile

SHOWN_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class FailedReloads:
    """Of one error code, in a week; `cause` and `next_action` are the newest's.

    `connections`: their names by their ids.
    """

    code: str
    connections: dict[int, str]
    files: int
    cause: str
    next_action: str


def failed_reloads() -> list[FailedReloads]:
    """By error code, of what is enabled and to be loaded; a file that was tried since is not told."""
    since = LoadAttempt.objects.filter(source_file=OuterRef("source_file"), pk__gt=OuterRef("pk"))
    failed = LoadAttempt.objects.filter(
        ~Exists(since),
        is_reload=True,
        ended_at__gt=timezone.now() - SHOWN_FOR,
        source_file__status=SourceFile.Status.INGESTED,
        source_file__reload_requested_at=None,
        source_file__export__decision=Export.Decision.LOAD,
        source_file__connection__enabled=True,
        source_file__connection__client__enabled=True,
    ).exclude(error_code="")
    found = failed.order_by("error_code", "source_file__connection__name").values_list(
        "error_code", "source_file__connection", "source_file__connection__name"
    )
    by_code = defaultdict(list)
    for code, *group in found.annotate(Count("pk"), Max("pk")):
        by_code[code].append(group)
    return [_of_code(code, groups) for code, groups in by_code.items()]


def _of_code(code: str, groups: list[list[Any]]) -> FailedReloads:
    newest = LoadAttempt.objects.only("error_message", "next_action").get(pk=max(pk for *_, pk in groups))
    return FailedReloads(
        code=code,
        connections={connection: name for connection, name, *_ in groups},
        files=sum(files for _, _, files, _ in groups),
        cause=newest.error_message,
        next_action=newest.next_action,
    )
