"""The pages of a file's rows: the rows themselves, and the passport of each row."""

import shlex
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError, connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from psycopg.errors import QueryCanceled

from billing.shown import ShownCell, ShownRow, Wanted, page_of_rows
from ingestion.admin.file_pages import Newest, file_of, page_of
from ingestion.models import Delivery, SourceFile
from ingestion.staff_actions import record
from ingestion.verification.one_row import compare_row

ROWS_A_PAGE = 50
# A row is compared within the request up to this size; larger files are verified by a worker.
MOST_BYTES_AT_ONCE = 64 * 2**20
SECONDS_TO_FIND = 5
# What a passport shows of one value; a page of rows shows less of it.
LONGEST_VALUE = 100_000
NOT_FOUND_IN_TIME = f"Not found within {SECONDS_TO_FIND} seconds. Begin behind a later row number."
TOO_LARGE_TOGETHER = (
    f"These rows are too large to be read together within {SECONDS_TO_FIND} seconds."
    " Put a row's number behind this page's address to see that one alone."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a passport."""

    column: str
    value: ShownCell
    type: str


@dataclass(frozen=True, slots=True)
class Search:
    """What the person looks for in the rows; `column` is the 0-based position, None for nowhere."""

    after: int
    before: int | None
    columns: str
    text: str
    column: int | None

    @classmethod
    def of(cls, request: HttpRequest, names: list[str]) -> "Search":
        """From the address; what makes no sense there is passed over."""
        column = request.GET.get("in", "")
        position = int(column) if column.isdecimal() and int(column) < len(names) else None
        return cls(
            after=_number(request, "after") or 0,
            before=_number(request, "before"),
            columns=request.GET.get("columns", ""),
            text=request.GET.get("find", "").replace("\0", ""),
            column=position,
        )

    @property
    def contains(self) -> tuple[int, str] | None:
        """In which column which text is looked for."""
        return (self.column, self.text) if self.text and self.column is not None else None


@require_GET
def rows_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The rows themselves, by row number, with the source's column names."""
    file = file_of(model_admin, request, pk)
    names = list(file.layout.names) if file.layout else []
    search = Search.of(request, names)
    shown = [place for place, name in enumerate(names) if search.columns.lower() in name.lower()]
    rows, more, problem = _found(file, search, shown)
    backwards = search.before is not None
    is_later = more if backwards else search.after > 0
    context = {
        "names": [names[place] for place in shown],
        "all_names": list(enumerate(names)),
        "rows": rows,
        "previous_before": rows[0].number if rows and is_later else None,
        "next_after": rows[-1].number if rows and (backwards or more) else None,
        "search": search,
        "problem": problem,
    }
    return page_of(model_admin, request, file, "rows", context)


def passport_page(request: HttpRequest, model_admin: Any, pk: int, number: int) -> HttpResponse:
    """One row with all that says where it came from; by POST it is read again from the bucket."""
    file = file_of(model_admin, request, pk)
    layout = file.layout
    names, types = (layout.names, layout.types) if layout else ([], [])
    cells = _cells_of(file, number, len(names))
    comparison = None
    if request.method == "POST":
        if not model_admin.has_operate_permission(request) or file.size > MOST_BYTES_AT_ONCE:
            raise PermissionDenied
        record(request.user.get_username(), "read row again", source_file=file, detail={"row": number})
        comparison = compare_row(file, number, request.user.get_username())
    context = {
        "number": number,
        "cells": [Cell(*of) for of in zip(names, cells, types, strict=True)],
        "deliveries": Newest.of(file.deliveries.select_related("scope__export").order_by("-delivered_at")),
        "current": file.deliveries.filter(status=Delivery.Status.CURRENT).first(),
        "receipt": file.receipts.order_by("-sequence").first(),
        "attempt": file.attempts.filter(outcome="SUCCEEDED").order_by("-id").first(),
        "command": reproduce_command(file),
        "comparison": comparison,
        "may_compare": model_admin.has_operate_permission(request),
        "too_large": file.size > MOST_BYTES_AT_ONCE,
    }
    return page_of(model_admin, request, file, "passport", context)


def reproduce_command(file: SourceFile) -> str:
    """The line that fetches exactly this version with the AWS CLI, safe to paste into a shell."""
    words = ["aws", "s3api", "get-object", "--region", file.connection.region]
    words += ["--bucket", file.connection.bucket, "--key", file.key, "--if-match", file.etag]
    return shlex.join([*words, "--expected-bucket-owner", file.connection.owner, "out"])


def _cells_of(file: SourceFile, number: int, columns: int) -> list[ShownCell]:
    """All of one row; a 404 where there is none."""
    wanted = Wanted(list(range(columns)), after=min(number, 2**62) - 1, rows=1, cell_most=LONGEST_VALUE)
    rows, _ = page_of_rows(file.connection_id, file.pk, wanted)
    if not rows or rows[0].number != number:
        raise Http404
    return rows[0].cells


def _found(file: SourceFile, search: Search, shown: list[int]) -> tuple[list[ShownRow], bool, str]:
    """The page, whether there are more in its direction, and what went wrong."""
    wanted = Wanted(shown, search.after, search.before, search.contains, ROWS_A_PAGE)
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS_TO_FIND}s"])
            return *page_of_rows(file.connection_id, file.pk, wanted), ""
    except OperationalError as error:
        if not isinstance(error.__cause__, QueryCanceled):
            raise
        return [], False, NOT_FOUND_IN_TIME if search.contains else TOO_LARGE_TOGETHER


def _number(request: HttpRequest, name: str) -> int | None:
    asked = request.GET.get(name, "")
    return min(int(asked), 2**62) if asked.isdecimal() else None
