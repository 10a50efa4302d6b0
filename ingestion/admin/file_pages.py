"""The page of one file, and what the other pages of a file share with it."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ingestion.admin.asking import WISHES
from ingestion.admin.next_load import NEWEST_ATTEMPT, failed_reload, held_back
from ingestion.loading import Loading
from ingestion.models import LoadAttempt, SourceFile
from ingestion.receipts import oddities_of

PAGES = "admin/ingestion/sourcefile"
SHOWN = 20


def file_page(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Its life: state, facts, attempts, deliveries, receipts, what people did."""
    file = file_of(model_admin, request, pk)
    may_operate = model_admin.has_operate_permission(request)
    receipts = list(file.receipts.order_by("-sequence")[:5])
    layout = file.layout
    context = {
        **_state(file),
        "wishes": {name: wish for name, wish in WISHES.items() if may_operate and _fits(name, file)},
        "may_verify": may_operate and file.status == SourceFile.Status.INGESTED,
        "attempts": Newest.of(file.attempts.order_by("-id")),
        "deliveries": Newest.of(file.deliveries.select_related("scope__export").order_by("-delivered_at")),
        "columns": zip(layout.names, layout.types, strict=True) if layout else [],
        "receipts": receipts,
        "oddities": oddities_of(receipts[0]) if receipts else [],
        "verification_requests": file.verification_requests.all(),
        "verifications": file.verifications.order_by("-id")[:5],
        "staff_actions": Newest.of(file.staff_actions.order_by("-id")),
    }
    return page_of(model_admin, request, file, "file", context)


@require_GET
def state_part(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The state alone, asked for again while it moves; once it is another one the whole page is."""
    state = _state(file_of(model_admin, request, pk))
    answer = TemplateResponse(request, f"{PAGES}/state.html", state)
    if request.GET.get("seen") != state["seen"]:
        answer["HX-Refresh"] = "true"
    return answer


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest of many; `total`: how many there are."""

    rows: list[Any]
    total: int

    @classmethod
    def of(cls, found: QuerySet[Any]) -> "Newest":
        """The first SHOWN; the rest is counted only where there is one."""
        rows = list(found[: SHOWN + 1])
        return cls(rows[:SHOWN], found.count() if len(rows) > SHOWN else len(rows))

    @property
    def are_all(self) -> bool:
        """Is nothing left out?"""
        return self.total == len(self.rows)


def _state(file: SourceFile) -> dict[str, Any]:
    """What is said of it now; `moves`: something is about to change by itself."""
    running = file.attempts.filter(outcome=LoadAttempt.Outcome.RUNNING).first()
    held, retry_at = held_back(file), file.next_retry_at
    waits = file.status == SourceFile.Status.NEW or file.reload_requested_at or retry_at
    is_due = waits and (retry_at is None or retry_at <= timezone.now())
    seen = (file.status, running.pk if running else "", file.failures, bool(file.reload_requested_at))
    return {
        "file": file,
        "running": running,
        "loading": Loading.of(running) if running else None,
        "held_back": held,
        "failed_reload": failed_reload(file),
        "moves": running or (is_due and not held),
        "seen": " ".join(map(str, seen)),
    }


def file_of(model_admin: Any, request: HttpRequest, pk: int) -> SourceFile:
    """The file, for who may see it; else a 404, or a 403."""
    files = SourceFile.objects.select_related("connection__client", "export", "layout")
    file = get_object_or_404(files.annotate(newest_attempt=NEWEST_ATTEMPT), pk=pk)
    if not model_admin.has_view_permission(request, file):
        raise PermissionDenied
    return file


def page_of(
    model_admin: Any, request: HttpRequest, file: SourceFile, name: str, context: dict[str, Any]
) -> HttpResponse:
    """One of its pages, by the template of that name."""
    everywhere = {
        **model_admin.admin_site.each_context(request),
        "title": file.key.rpartition("/")[2] or file.key,
        "file": file,
        "opts": SourceFile._meta,
    }
    return TemplateResponse(request, f"{PAGES}/{name}.html", {**everywhere, **context})


def _fits(name: str, file: SourceFile) -> bool:
    reason = SourceFile.SkipReason(file.skip_reason) if file.skip_reason else None
    archived = reason is SourceFile.SkipReason.ARCHIVED
    return {
        "retry_now": file.status == "FAILED",
        "reprocess_now": file.status == "INGESTED",
        "skip_now": archived or file.status in ("NEW", "FAILED"),
        "release_now": archived or reason is SourceFile.SkipReason.BY_STAFF,
    }[name]
