"""Admin pages of deliveries."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from ingestion.admin.chosen import HoldsFileFilter
from ingestion.admin.history import HistoryAdmin
from ingestion.models import Delivery, DeliveryFile
from ingestion.time_tag import time_tag


class DeliveryFileInline(TabularInline):
    model = DeliveryFile
    extra = 0
    can_delete = False
    fields = readonly_fields = ["source_file", "seen"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryFile]:
        """With their files: a delivery may hold hundreds."""
        files: QuerySet[DeliveryFile] = super().get_queryset(request)
        return files.select_related("source_file")

    @admin.display(description="Last modified, as listed")
    def seen(self, held: DeliveryFile) -> str:
        """When S3 said that this version was last modified."""
        return time_tag(held.last_modified)


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin):
    list_display = [
        "snapshot_id",
        "scope",
        "status_label",
        "delivered_at",
        "published_at",
        "superseded_at",
        "reason",
    ]
    list_filter = ["status", HoldsFileFilter, "scope__export__connection"]
    list_select_related = ["scope__export"]
    search_fields = ["snapshot_id", "scope__key"]
    inlines = [DeliveryFileInline]

    @display(
        description="Status",
        ordering="status",
        label={"Current": "success", "Incomplete": "danger", "Pending": "info"},
    )
    def status_label(self, delivery: Delivery) -> str:
        """The status, coloured."""
        return delivery.get_status_display()
