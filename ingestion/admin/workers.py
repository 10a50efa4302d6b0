"""Admin page of the workers, and their signs of life."""

from django.contrib import admin

from ingestion.admin.history import HistoryAdmin
from ingestion.models import Worker


@admin.register(Worker)
class WorkerAdmin(HistoryAdmin):
    list_display = ["name", "seen_at", "begun_at", "stopped_at", "restarts", "restart_reason", "started_at"]
