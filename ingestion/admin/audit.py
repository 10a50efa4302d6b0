"""Admin pages of load attempts, discovery runs, and what they asked of AWS."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import display

from ingestion.admin.chosen import FileFilter, files_named
from ingestion.admin.history import HistoryAdmin
from ingestion.errors import IngestionError
from ingestion.figures import bytes_text, duration_text
from ingestion.models import AwsUse, DiscoveryRun, LoadAttempt

OUTCOME_LABELS = {"Succeeded": "success", "Failed": "danger", "Crashed": "danger", "Running": "warning"}


class ErrorCodeFilter(admin.SimpleListFilter):
    """Every code there is: to ask the table which occur would be to read all of it."""

    title = "error code"
    parameter_name = "error_code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice per code."""
        return [(code, code) for code in sorted(IngestionError.codes())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What ended with the chosen code."""
        return queryset.filter(error_code=self.value()) if self.value() else queryset


class FailedReloadFilter(admin.SimpleListFilter):
    """Of reloads only those that failed: an index finds them."""

    title = "reload"
    parameter_name = "reload"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The one choice."""
        return [("failed", "Failed reloads")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those, where they are chosen."""
        return queryset.filter(is_reload=True).exclude(error_code="") if self.value() else queryset


class WorkAdmin(HistoryAdmin):
    """What began, ended, and perhaps went wrong."""

    @display(description="Outcome", ordering="outcome", label=OUTCOME_LABELS)
    def outcome_label(self, work: LoadAttempt | DiscoveryRun) -> str:
        """The outcome, coloured."""
        return work.get_outcome_display()

    @admin.display(description="Took")
    def took(self, work: LoadAttempt | DiscoveryRun) -> str:
        """How long it was under way."""
        return duration_text(work.ended_at - work.started_at if work.ended_at else None)

    @admin.display(description="What went wrong", ordering="error_code")
    def went_wrong(self, work: LoadAttempt | DiscoveryRun) -> str:
        """The error, and what it says."""
        if not work.error_code:
            return "-"
        return format_html('<div class="kcx-wide">{}: {}</div>', work.error_code, work.error_message)


@admin.register(LoadAttempt)
class LoadAttemptAdmin(WorkAdmin):
    list_display = [
        "id",
        "source_file",
        "outcome_label",
        "stored",
        "started_at",
        "took",
        "actor",
        "went_wrong",
    ]
    list_filter = ["outcome", FailedReloadFilter, FileFilter, "source_file__connection", ErrorCodeFilter]
    list_select_related = ["source_file"]
    search_fields = ["id"]  # there is a search: get_search_results says which
    search_help_text = "A file's whole key, or an attempt's number"
    readonly_fields = ["aws_requests"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LoadAttempt], search_term: str
    ) -> tuple[QuerySet[LoadAttempt], bool]:
        """By what an index finds: a part of a key would be looked for in all the attempts there ever were."""
        term = search_term.strip()
        if term.isascii() and term.isdigit() and len(term) <= 18:
            return queryset.filter(pk=int(term)), False
        return (queryset.filter(source_file__in=files_named(term)) if term else queryset), False

    @admin.display(description="Requests to AWS")
    def aws_requests(self, attempt: LoadAttempt) -> str:
        """By operation, and by which names AWS knows the session and the last ones."""
        return _requests(f"a{attempt.pk}")

    @admin.display(description="Rows", ordering="rows")
    def stored(self, attempt: LoadAttempt) -> str:
        """How many it stored."""
        return f"{attempt.rows:,}"


@admin.register(DiscoveryRun)
class DiscoveryRunAdmin(WorkAdmin):
    list_display = [
        "id",
        "connection",
        "outcome_label",
        "listed_count",
        "registered_count",
        "started_at",
        "took",
        "actor",
        "went_wrong",
    ]
    list_filter = ["outcome", "connection"]
    list_select_related = ["connection"]
    readonly_fields = ["aws_requests"]

    @admin.display(description="Listed", ordering="listed")
    def listed_count(self, run: DiscoveryRun) -> str:
        """How many objects."""
        return f"{run.listed:,}"

    @admin.display(description="Registered", ordering="registered")
    def registered_count(self, run: DiscoveryRun) -> str:
        """How many file versions were new."""
        return f"{run.registered:,}"

    @admin.display(description="Requests to AWS")
    def aws_requests(self, run: DiscoveryRun) -> str:
        """By operation, and by which names AWS knows the session and the last ones."""
        return _requests(f"d{run.pk}")


@admin.register(AwsUse)
class AwsUseAdmin(HistoryAdmin):
    list_display = ["run", "kind", "about", "actor", "started_at", "requests", "bytes"]
    list_filter = ["connection"]
    list_select_related = ["connection"]
    search_fields = ["run"]
    search_help_text = "A run, as a345 for load attempt 345"
    exclude = ["calls"]
    readonly_fields = ["requests"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AwsUse], search_term: str
    ) -> tuple[QuerySet[AwsUse], bool]:
        """By the whole name of a run."""
        term = search_term.strip()
        return (queryset.filter(run=term) if term else queryset), False

    @admin.display(description="Of", ordering="connection")
    def about(self, use: AwsUse) -> str:
        """What it was about, where it was about one thing, and the connection below it."""
        what = '{}<br><span class="kcx-quiet">{}</span>' if use.subject else "{}{}"
        return format_html(what, use.subject, use.connection)

    @admin.display(description="Requests")
    def requests(self, use: AwsUse) -> str:
        """By operation."""
        return _told(use)

    @admin.display(description="Received", ordering="bytes_received")
    def bytes(self, use: AwsUse) -> str:
        """Of listings and objects, readable."""
        return bytes_text(use.bytes_received) if use.ended_at else "-"


def _requests(run: str) -> str:
    use = AwsUse.objects.filter(run=run).first()
    if use is None:
        return "None: the run did not come to ask"
    return format_html("{}<br>{}<br>{}", _told(use), use.session_arn, use.ids_text)


def _told(use: AwsUse) -> str:
    if not use.ended_at:
        return "Not known: the run is going on, or broke off"
    parts = []
    for name, counted in use.calls.items():
        refused = f" ({counted['refused']:,} refused)" if counted["refused"] else ""
        parts.append(f"{name} {counted['sent']:,}{refused}")
    return ", ".join(parts)
