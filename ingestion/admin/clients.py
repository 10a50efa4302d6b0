"""Admin pages of clients."""

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from ingestion.admin.changes import changes
from ingestion.admin.times import TimesAdmin
from ingestion.models import Client
from ingestion.staff_actions import record


class NeverDeleted(TimesAdmin):
    """Disable instead: what has history stays."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(Client)
class ClientAdmin(NeverDeleted):
    list_display = ["name", "enabled", "created_at"]
    list_filter = ["enabled"]
    search_fields = ["name"]

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: Client, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        """Save, and record who made the client, or changed what."""
        super().save_model(request, obj, form, change)
        person, changed = request.user.get_username(), changes(form, form.changed_data)
        if changed:
            action = "change client" if change else "add client"
            record(person, action, detail={"client": obj.pk, **changed}, clients=[obj.pk])
        for connection in obj.connections.all() if "enabled" in changed and change else ():
            record(person, "enable client" if obj.enabled else "disable client", connection=connection)
