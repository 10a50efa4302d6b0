"""The pages of one file: its life, its rows, and the passport of each row."""

import shlex
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from billing.models import RawRow
from billing.read import rows_after, rows_with
from ingestion.admin.asking import WISHES
from ingestion.models import Delivery, SourceFile
from ingestion.receipts import oddities_of
from ingestion.staff_actions import record
from ingestion.verification.one_row import compare_row

ROWS_A_PAGE = 50
# A row is compared within the request up to this size; larger files are verified by a worker.
MOST_BYTES_AT_ONCE = 64 * 2**20
SECONDS_TO_FIND = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as a page shows it: NULL and '' told apart."""

    column: str
    value: str | None
    type: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """What the person looks for in the rows; `column` is the 0-based position, None for nowhere."""

    after: int
    columns: str
    text: str
    column: int | None

    @classmethod
    def of(cls, request: HttpRequest, names: list[str]) -> "Search":
        """From the address; what makes no sense there is passed over."""
        after, column = request.GET.get("after", ""), request.GET.get("in", "")
        position = int(column) if column.isdecimal() and int(column) < len(names) else None
        return cls(
            after=min(int(after), 2**62) if after.isdecimal() else 0,
            columns=request.GET.get("columns", ""),
            text=request.GET.get("find", ""),
            column=position,
        )


def file_page(model_admin: Any, request: HttpRequest, pk: int) -> HttpResponse:
    """Its life: state, facts, attempts, deliveries, receipts, what people did."""
    file = _file(model_admin, request, pk)
    may_operate = model_admin.has_operate_permission(request)
    receipts = list(file.receipts.order_by("-sequence")[:5])
    context = {
        "wishes": {name: wish for name, wish in WISHES.items() if may_operate and _fits(name, file)},
        "may_verify": may_operate and file.status == SourceFile.Status.INGESTED,
        "loading": file.attempts.filter(outcome="RUNNING").first(),
        "attempts": file.attempts.order_by("-id")[:20],
        "deliveries": file.deliveries.select_related("scope__export").order_by("-delivered_at")[:20],
        "receipts": receipts,
        "oddities": oddities_of(receipts[0]) if receipts else [],
        "verification_requests": file.verification_requests.all(),
        "verifications": file.verifications.order_by("-id")[:5],
        "staff_actions": file.staff_actions.order_by("-id")[:20],
    }
    return _page(model_admin, request, file, "file", context)


@require_GET
def rows_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The rows themselves, by row number, with the source's column names."""
    file = _file(model_admin, request, pk)
    names = list(file.layout.names) if file.layout else []
    search = Search.of(request, names)
    rows, problem = _found(file, search)
    shown = [place for place, name in enumerate(names) if search.columns.lower() in name.lower()]
    context = {
        "names": [names[place] for place in shown],
        "all_names": list(enumerate(names)),
        "rows": [(row.row_number, [row.values[place] for place in shown]) for row in rows[:ROWS_A_PAGE]],
        "next_after": rows[ROWS_A_PAGE - 1].row_number if len(rows) > ROWS_A_PAGE else None,
        "search": search,
        "problem": problem,
    }
    return _page(model_admin, request, file, "rows", context)


def passport_page(request: HttpRequest, model_admin: Any, pk: int, number: int) -> HttpResponse:
    """One row with all that says where it came from; by POST it is read again from the bucket."""
    file = _file(model_admin, request, pk)
    row = get_object_or_404(
        RawRow, connection_id=file.connection_id, source_file_id=file.pk, row_number=number
    )
    comparison = None
    if request.method == "POST":
        if not model_admin.has_operate_permission(request) or file.size > MOST_BYTES_AT_ONCE:
            raise PermissionDenied
        record(request.user.get_username(), "read row again", source_file=file, detail={"row": number})
        comparison = compare_row(file, number, request.user.get_username())
    layout = file.layout
    names, types = (layout.names, layout.types) if layout else ([], [])
    context = {
        "number": number,
        "cells": [Cell(*of) for of in zip(names, row.values, types, strict=True)],
        "deliveries": file.deliveries.select_related("scope__export").order_by("-delivered_at"),
        "current": file.deliveries.filter(status=Delivery.Status.CURRENT).first(),
        "receipt": file.receipts.order_by("-sequence").first(),
        "attempt": file.attempts.filter(outcome="SUCCEEDED").order_by("-id").first(),
        "command": reproduce_command(file),
        "comparison": comparison,
        "may_compare": model_admin.has_operate_permission(request),
        "too_large": file.size > MOST_BYTES_AT_ONCE,
    }
    return _page(model_admin, request, file, "passport", context)


def reproduce_command(file: SourceFile) -> str:
    """The line that fetches exactly this version with the AWS CLI, safe to paste into a shell."""
    words = ["aws", "s3api", "get-object", "--region", file.connection.region]
    words += ["--bucket", file.connection.bucket, "--key", file.key, "--if-match", file.etag]
    return shlex.join([*words, "--expected-bucket-owner", file.connection.owner, "out"])


def _found(file: SourceFile, search: Search) -> tuple[list[RawRow], str]:
    """One row more than a page takes, and what went wrong."""
    limit = ROWS_A_PAGE + 1
    if not search.text or search.column is None:
        return rows_after(file.connection_id, file.pk, search.after, limit), ""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS_TO_FIND}s"])
            of_file = (file.connection_id, file.pk, search.column, search.text)
            return rows_with(*of_file, search.after, limit), ""
    except DatabaseError as error:
        return [], f"Not found within {SECONDS_TO_FIND} seconds ({error}). Begin behind a later row number."


def _fits(name: str, file: SourceFile) -> bool:
    reason = SourceFile.SkipReason(file.skip_reason) if file.skip_reason else None
    archived = reason is SourceFile.SkipReason.ARCHIVED
    return {
        "retry_now": file.status == "FAILED",
        "reprocess_now": file.status == "INGESTED",
        "skip_now": archived or file.status in ("NEW", "FAILED"),
        "release_now": archived or reason is SourceFile.SkipReason.BY_STAFF,
    }[name]


def _file(model_admin: Any, request: HttpRequest, pk: int) -> SourceFile:
    files = SourceFile.objects.select_related("connection__client", "export", "layout")
    file = get_object_or_404(files, pk=pk)
    if not model_admin.has_view_permission(request, file):
        raise PermissionDenied
    return file


def _page(
    model_admin: Any, request: HttpRequest, file: SourceFile, name: str, context: dict[str, Any]
) -> HttpResponse:
    everywhere = {
        **model_admin.admin_site.each_context(request),
        "title": file.key.rpartition("/")[2] or file.key,
        "file": file,
        "opts": SourceFile._meta,
    }
    return TemplateResponse(request, f"admin/ingestion/sourcefile/{name}.html", {**everywhere, **context})
