"""The page of one file, and what the other pages of a file share with it."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse

from ingestion.admin.asking import WISHES
from ingestion.admin.next_load import NEWEST_ATTEMPT, failed_reload, held_back
from ingestion.models import SourceFile
from ingestion.receipts import oddities_of


def file_page(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Its life: state, facts, attempts, deliveries, receipts, what people did."""
    file = file_of(model_admin, request, pk)
    may_operate = model_admin.has_operate_permission(request)
    receipts = list(file.receipts.order_by("-sequence")[:5])
    context = {
        "wishes": {name: wish for name, wish in WISHES.items() if may_operate and _fits(name, file)},
        "may_verify": may_operate and file.status == SourceFile.Status.INGESTED,
        "loading": file.attempts.filter(outcome="RUNNING").first(),
        "held_back": held_back(file),
        "failed_reload": failed_reload(file),
        "attempts": file.attempts.order_by("-id")[:20],
        "deliveries": file.deliveries.select_related("scope__export").order_by("-delivered_at")[:20],
        "receipts": receipts,
        "oddities": oddities_of(receipts[0]) if receipts else [],
        "verification_requests": file.verification_requests.all(),
        "verifications": file.verifications.order_by("-id")[:5],
        "staff_actions": file.staff_actions.order_by("-id")[:20],
    }
    return page_of(model_admin, request, file, "file", context)


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
    return TemplateResponse(request, f"admin/ingestion/sourcefile/{name}.html", {**everywhere, **context})


def _fits(name: str, file: SourceFile) -> bool:
    reason = SourceFile.SkipReason(file.skip_reason) if file.skip_reason else None
    archived = reason is SourceFile.SkipReason.ARCHIVED
    return {
        "retry_now": file.status == "FAILED",
        "reprocess_now": file.status == "INGESTED",
        "skip_now": archived or file.status in ("NEW", "FAILED"),
        "release_now": archived or reason is SourceFile.SkipReason.BY_STAFF,
    }[name]
