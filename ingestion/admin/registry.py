"""Admin pages of the file registry."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from ingestion.admin.history import HistoryAdmin
from ingestion.admin.receipts import verify_against_s3, verify_stored
from ingestion.models import LoadAttempt, SourceFile
from ingestion.queueing import queue_loads
from ingestion.reruns import reprocess, retry

RUNNING = Exists(LoadAttempt.objects.filter(source_file=OuterRef("pk"), outcome=LoadAttempt.Outcome.RUNNING))


class PeriodFilter(admin.SimpleListFilter):
    """The billing periods that occur, newest first."""

    title = "billing period"
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice per period."""
        periods = SourceFile.objects.exclude(billing_period_start=None).values_list(
            "billing_period_start", flat=True
        )
        return [
            (str(start), f"{start:%Y-%m}") for start in periods.order_by("-billing_period_start").distinct()
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SourceFile]) -> QuerySet[SourceFile]:
        """The files of the chosen period."""
        if not self.value():
            return queryset
        try:
            return queryset.filter(billing_period_start=self.value())
        except ValidationError as error:  # an address written by hand
            raise IncorrectLookupParameters from error


class LoadingNowFilter(admin.SimpleListFilter):
    """Files with a running attempt."""

    title = "loading now"
    parameter_name = "loading"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice."""
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SourceFile]) -> QuerySet[SourceFile]:
        """The files that are loading now."""
        return queryset.filter(RUNNING) if self.value() else queryset


@admin.register(SourceFile)
class SourceFileAdmin(HistoryAdmin):
    list_display = [
        "key",
        "state",
        "connection",
        "billing_period_start",
        "row_count",
        "size",
        "what_is_wrong",
        "next_action",
    ]
    list_filter = ["status", LoadingNowFilter, PeriodFilter, "connection__client", "connection"]
    list_select_related = ["connection"]
    search_fields = ["key", "etag", "error_code"]
    actions = ["retry_now", "reprocess_now", verify_stored, verify_against_s3]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceFile]:
        """Each file with whether it is loading now."""
        files: QuerySet[SourceFile] = super().get_queryset(request)
        return files.annotate(loading=RUNNING)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """May this person ask for retries and reloads?"""
        return request.user.has_perm("ingestion.operate_sourcefile")

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
        """The error of a failed file, the reason of a skipped one."""
        if file.status == SourceFile.Status.FAILED:
            return f"{file.error_code}: {file.error_message}"
        return file.get_skip_reason_display() or "-"

    @admin.action(description="Retry", permissions=["operate"])
    def retry_now(self, request: HttpRequest, files: QuerySet[SourceFile]) -> None:
        """Queue the failed ones among the chosen files."""
        self._queued(request, files, retry(_plain(files)), "retry")

    @admin.action(description="Reprocess", permissions=["operate"])
    def reprocess_now(self, request: HttpRequest, files: QuerySet[SourceFile]) -> None:
        """Queue a reload of the ingested ones among the chosen files, and the failed ones."""
        self._queued(request, files, reprocess(_plain(files)), "reprocess")

    def _queued(self, request: HttpRequest, files: QuerySet[SourceFile], due: list[int], what: str) -> None:
        chosen = files.count()
        queued = queue_loads(SourceFile.objects.filter(pk__in=due))
        for file in SourceFile.objects.filter(pk__in=due):
            self.log_change(request, file, f"Asked for: {what}.")
        told = f"{queued} of {chosen} files queued to {what}."
        if queued < len(due):
            told += f" {len(due) - queued} wait: for room in the queue, or because they are not to be loaded."
        self.message_user(request, told, messages.SUCCESS if queued else messages.WARNING)


def _plain(files: QuerySet[SourceFile]) -> QuerySet[SourceFile]:
    """The same files without the list's annotations and order, so that they can be locked."""
    return SourceFile.objects.filter(pk__in=list(files.values_list("pk", flat=True)))
