"""Admin pages of what people did, and of access checks."""

from django.contrib import admin
from unfold.decorators import display

from ingestion.admin.chosen import FileFilter
from ingestion.admin.history import HistoryAdmin
from ingestion.models import AccessCheck, StaffAction


@admin.register(StaffAction)
class StaffActionAdmin(HistoryAdmin):
    list_display = ["at", "actor", "action", "connection", "source_file", "reason"]
    list_filter = [FileFilter, "action", "connection"]
    list_select_related = ["connection", "source_file"]
    search_fields = ["actor", "reason"]


@admin.register(AccessCheck)
class AccessCheckAdmin(HistoryAdmin):
    list_display = ["id", "connection", "outcome_label", "started_at", "ended_at", "actor"]
    list_filter = ["outcome", "connection"]
    list_select_related = ["connection"]

    @display(
        description="Outcome",
        ordering="outcome",
        label={
            "Passed": "success",
            "Passed, with warnings": "warning",
            "Running": "info",
            "Failed": "danger",
            "Crashed": "danger",
        },
    )
    def outcome_label(self, check: AccessCheck) -> str:
        """The outcome, coloured."""
        return check.get_outcome_display()
