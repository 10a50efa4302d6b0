"""Admin pages of exports: what was found, and what staff decided."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from ingestion.admin.clients import NeverDeleted
from ingestion.decisions import decide, follow_decision
from ingestion.drift import names_that_differ_by_case
from ingestion.figures import bytes_text, count_text
from ingestion.models import Export
from ingestion.staff_actions import record


@admin.register(Export)
class ExportAdmin(NeverDeleted):
    list_display = ["name", "connection", "root", "family", "mode", "decision", "overlaps"]
    list_filter = ["decision", "family", "connection"]
    list_select_related = ["connection", "overlaps"]
    search_fields = ["name", "root"]
    actions = ["load", "ignore"]
    fields = [
        *("connection", "root", "name", "key_layout", "mode", "family", "payer_account", "first_seen_at"),
        *("overlaps", "decision", "has_manifests", "without_manifests", "periods", "columns"),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Export | None = None) -> list[Any]:
        """Staff decide what is loaded; and, where no manifest was ever seen, that there are none."""
        decided = {"decision"} if obj and obj.has_manifests else {"decision", "without_manifests"}
        return self.with_times([field for field in self.fields if field not in decided])

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: exports are found."""
        return False

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Export, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        """Save what the form allowed, and record it."""
        super().save_model(request, obj, form, change)
        if "decision" in form.changed_data:
            follow_decision(obj)
        changed: dict[str, Any] = {
            name: {"before": form.initial[name], "after": form.cleaned_data[name]}
            for name in form.changed_data
        }
        if changed:
            detail = {"export": obj.name, **changed}
            record(request.user.get_username(), "change export", connection=obj.connection, detail=detail)

    @admin.display(description="Periods, files and bytes")
    def periods(self, export: Export) -> str:
        """What was registered of it."""
        found = export.files.aggregate(
            periods=Count("billing_period_start", distinct=True),
            files=Count("pk"),
            size=Sum("size", default=0),
        )
        files, size = count_text(found["files"]), bytes_text(found["size"])
        return f"{found['periods']} billing periods, {files} files, {size}"

    @admin.display(description="Columns delivered")
    def columns(self, export: Export) -> str:
        """The schema drift ledger, with what to beware of."""
        alike = {name for names in names_that_differ_by_case(export) for name in names}
        rows = [
            (
                column.name,
                f"{column.first_seen_at:%Y-%m-%d}",
                f"{column.last_seen_at:%Y-%m-%d}",
                "longer than 63 bytes" if column.longer_than_an_identifier else "",
                "differs by case only from another" if column.name in alike else "",
            )
            for column in export.columns.all()
        ]
        head = "<tr><th>Name</th><th>First</th><th>Last</th><th></th><th></th></tr>"
        cells = "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>"
        return format_html(f"<table>{head}{{}}</table>", format_html_join("", cells, rows)) if rows else "-"

    @admin.action(description="Load", permissions=["change"])
    def load(self, request: HttpRequest, exports: QuerySet[Export]) -> None:
        """Decide: load."""
        self._decide(request, exports, Export.Decision.LOAD)

    @admin.action(description="Do not load", permissions=["change"])
    def ignore(self, request: HttpRequest, exports: QuerySet[Export]) -> None:
        """Decide: do not load."""
        self._decide(request, exports, Export.Decision.IGNORE)

    def _decide(self, request: HttpRequest, exports: QuerySet[Export], decision: Export.Decision) -> None:
        for export in exports.select_related("connection"):
            decide(export, decision, request.user.get_username())
        self.message_user(request, f"{len(exports)} exports decided.", messages.SUCCESS)
