"""Admin pages of load attempts and discovery runs."""

from django.contrib import admin
from unfold.decorators import display

from ingestion.admin.history import HistoryAdmin
from ingestion.models import DiscoveryRun, LoadAttempt

OUTCOME_LABELS = {"Succeeded": "success", "Failed": "danger", "Crashed": "danger", "Running": "warning"}


@admin.register(LoadAttempt)
class LoadAttemptAdmin(HistoryAdmin):
    list_display = [
        "id",
        "source_file",
        "outcome_label",
        "rows",
        "started_at",
        "ended_at",
        "actor",
        "error_code",
        "error_message",
    ]
    list_filter = ["outcome", "error_code", "source_file__connection"]
    list_select_related = ["source_file"]
    search_fields = ["source_file__key", "error_code"]

    @display(description="Outcome", ordering="outcome", label=OUTCOME_LABELS)
    def outcome_label(self, attempt: LoadAttempt) -> str:
        """The outcome, coloured."""
        return attempt.get_outcome_display()


@admin.register(DiscoveryRun)
class DiscoveryRunAdmin(HistoryAdmin):
    list_display = [
        "id",
        "connection",
        "outcome_label",
        "listed",
        "registered",
        "started_at",
        "ended_at",
        "actor",
        "error_code",
        "error_message",
    ]
    list_filter = ["outcome", "connection"]
    list_select_related = ["connection"]

    @display(description="Outcome", ordering="outcome", label=OUTCOME_LABELS)
    def outcome_label(self, run: DiscoveryRun) -> str:
        """The outcome, coloured."""
        return run.get_outcome_display()
