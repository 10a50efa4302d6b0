"""Pages of who came in, and of whose password was wrong: read by administrators, changed by nobody."""

from axes.models import AccessAttempt, AccessLog
from django.contrib import admin

from ingestion.admin.history import HistoryAdmin


@admin.register(AccessLog)
class LoginAdmin(HistoryAdmin):
    list_display = ["username", "attempt_time", "logout_time", "ip_address"]
    search_fields = ["username", "ip_address"]
    fields = ["username", "attempt_time", "logout_time", "ip_address", "user_agent"]
    ordering = ["-pk"]


@admin.register(AccessAttempt)
class WrongPasswordAdmin(HistoryAdmin):
    list_display = ["username", "failures_since_start", "attempt_time", "ip_address"]
    search_fields = ["username", "ip_address"]
    fields = ["username", "failures_since_start", "attempt_time", "ip_address", "user_agent"]
    ordering = ["-attempt_time"]
