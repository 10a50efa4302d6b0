"""Admin pages of the file registry."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from unfold.decorators import display

from ingestion.admin.asking import ask
from ingestion.admin.chosen import ExportFilter
from ingestion.admin.file_pages import file_page, state_part
from ingestion.admin.history import HistoryAdmin
from ingestion.admin.next_load import NEWEST_ATTEMPT, failed_reload
from ingestion.admin.polled import polled
from ingestion.admin.receipts import verify_against_s3, verify_stored
from ingestion.admin.registry_filters import FailedWithFilter, LoadingNowFilter, PeriodFilter
from ingestion.admin.row_pages import passport_page, rows_page
from ingestion.attempts import RUNNING
from ingestion.figures import bytes_text
from ingestion.models import SourceFile

LONGEST_KEY = 100


@admin.register(SourceFile)
class SourceFileAdmin(HistoryAdmin):
    list_display = [
        "short_key",
        "state",
        "period",
        "rows",
        "bytes",
        "what_is_wrong",
    ]
    list_filter = [
        *("status", LoadingNowFilter, ExportFilter, PeriodFilter, "skip_reason"),
        *("connection__client", "connection", FailedWithFilter),
    ]
    list_select_related = ["connection"]
    search_fields = ["key"]  # there is a search: get_search_results says which
    search_help_text = "A part of a key, in its own case; or a whole ETag or error code"
    list_after_template = "admin/ingestion/sourcefile/live_list.html"
    actions = ["retry_now", "reprocess_now", "skip_now", "release_now", verify_stored, verify_against_s3]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceFile]:
        """Each file with whether it is loading now, and how its newest attempt ended."""
        files: QuerySet[SourceFile] = super().get_queryset(request)
        return files.annotate(loading=RUNNING, newest_attempt=NEWEST_ATTEMPT)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[SourceFile], search_term: str
    ) -> tuple[QuerySet[SourceFile], bool]:
        """By a part of the key, in its own case (S3 tells keys apart by it), a whole ETag or error code."""
        term = search_term.strip()
        wanted = Q(key__contains=term) | Q(etag__in=[term, f'"{term}"']) | Q(error_code=term)
        return (queryset.filter(wanted) if term else queryset), False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """May this person ask for retries and reloads?"""
        return request.user.has_perm("ingestion.operate_sourcefile")

    @admin.display(description="Key", ordering="key")
    def short_key(self, file: SourceFile) -> str:
        """The key, cut in its middle where it is long, all of it on hover; the connection below it."""
        key = file.key
        short = key if len(key) <= LONGEST_KEY else f"{key[:30]} … {key[-60:]}"
        return format_html(
            '<span class="kcx-key" title="{}">{}</span><br><span class="kcx-quiet">{}</span>',
            key,
            short,
            file.connection,
        )

    @admin.display(description="Billing period", ordering="billing_period_start")
    def period(self, file: SourceFile) -> str:
        """As 2026-03."""
        return f"{file.billing_period_start:%Y-%m}" if file.billing_period_start else "-"

    @admin.display(description="Rows", ordering="row_count")
    def rows(self, file: SourceFile) -> str:
        """How many are stored."""
        return "-" if file.row_count is None else f"{file.row_count:,}"

    @admin.display(description="Size", ordering="size")
    def bytes(self, file: SourceFile) -> str:
        """Of the object, readable."""
        return bytes_text(file.size)

    @display(
        description="Status",
        ordering="status",
        label={"Ingested": "success", "Failed": "danger", "New": "info", "Loading now": "warning"},
    )
    def state(self, file: SourceFile) -> str:
        """The status, or that it is loading now."""
        return "Loading now" if getattr(file, "loading", False) else file.get_status_display()

    @admin.display(description="What is wrong")
    def what_is_wrong(self, file: SourceFile) -> str:
        """The error of a failed file or reload, the reason of a skipped one; and what is to be done."""
        wrong, next_action = file.get_skip_reason_display() or "-", file.next_action
        if file.status == SourceFile.Status.FAILED:
            wrong = f"{file.error_code}: {file.error_message}"
        elif failed := failed_reload(file):
            wrong = f"The last reload failed, the old rows stay. {failed.code}: {failed.cause}"
            next_action = failed.next_action
        elif file.reload_requested_at:
            wrong = "Nothing; a reload is asked for"
        if not next_action:
            return wrong
        told = '<div class="kcx-wide">{}<br><span class="kcx-quiet">{}</span></div>'
        return format_html(told, wrong, next_action)

    @admin.action(description="Retry", permissions=["operate"])
    def retry_now(self, request: HttpRequest, files: QuerySet[SourceFile]) -> HttpResponse | None:
        """Ask why, then load the failed ones among the chosen files again."""
        return ask(self, request, files, "retry_now")

    @admin.action(description="Reprocess", permissions=["operate"])
    def reprocess_now(self, request: HttpRequest, files: QuerySet[SourceFile]) -> HttpResponse | None:
        """Ask why, then replace the rows of the ingested ones, and retry the failed ones."""
        return ask(self, request, files, "reprocess_now")

    @admin.action(description="Skip", permissions=["operate"])
    def skip_now(self, request: HttpRequest, files: QuerySet[SourceFile]) -> HttpResponse | None:
        """Ask why, then leave out those that are not loaded."""
        return ask(self, request, files, "skip_now")

    @admin.action(description="Release", permissions=["operate"])
    def release_now(self, request: HttpRequest, files: QuerySet[SourceFile]) -> HttpResponse | None:
        """Ask why, then load those after all that staff skipped."""
        return ask(self, request, files, "release_now")

    def get_urls(self) -> list[URLPattern]:
        """The rows of a file, and each row's passport, beside the usual pages."""
        view = self.admin_site.admin_view
        own = [
            path(
                "<int:pk>/state/",
                polled(self.admin_site, state_part),
                {"model_admin": self},
                name="ingestion_sourcefile_state",
            ),
            path(
                "<int:pk>/rows/",
                view(rows_page),
                {"model_admin": self},
                name="ingestion_sourcefile_rows",
            ),
            path(
                "<int:pk>/rows/<int:number>/",
                view(passport_page),
                {"model_admin": self},
                name="ingestion_sourcefile_row",
            ),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The life of one file: nothing on it is edited."""
        if request.method != "GET":
            raise PermissionDenied
        if not object_id.isdecimal():
            raise Http404
        return file_page(self, request, int(object_id))
