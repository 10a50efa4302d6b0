"""The admin's people pages: what is changed on them is recorded with all that staff do."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from ingestion.admin.times import TimesAdmin
from ingestion.staff_actions import record
from kcx import login_admin, queue_admin  # noqa: F401  # register their pages

for model in (User, Group):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


def facts(thing: User | Group) -> dict[str, Any]:
    """What somebody may do, or a group; never a password."""
    if isinstance(thing, Group):
        permissions = thing.permissions.values_list("content_type__app_label", "codename")
        return {"name": thing.name, "permissions": sorted(".".join(one) for one in permissions)}
    return {
        "name": thing.get_username(),
        "active": thing.is_active,
        "staff": thing.is_staff,
        "superuser": thing.is_superuser,
        "groups": sorted(thing.groups.values_list("name", flat=True)),
        "own permissions": sorted(thing.user_permissions.values_list("codename", flat=True)),
    }


class PeopleAdmin(TimesAdmin):
    """Records who made or changed whom, with what they could do before and after."""

    def get_object(self, request: HttpRequest, *arguments: Any) -> Any:
        """The person or group; what they could do is kept until the change is recorded."""
        found = super().get_object(request, *arguments)
        if found is not None:
            vars(request)["before"] = facts(found)
        return found

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """Django's own log, and KCX's."""
        self._record(request, "add", after=facts(obj))
        entry: LogEntry = super().log_addition(request, obj, message)
        return entry

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """The same; also of a new password, which Django tells in the same way."""
        told = {"before": vars(request).get("before"), "after": facts(obj), "form": str(message)}
        self._record(request, "change", **told)
        entry: LogEntry = super().log_change(request, obj, message)
        return entry

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[LogEntry]:
        """The same, of each that goes."""
        for thing in queryset:
            self._record(request, "delete", before=facts(thing))
        return list(super().log_deletions(request, queryset))

    def _record(self, request: HttpRequest, what: str, **detail: Any) -> None:
        record(request.user.get_username(), f"{what}_{self.opts.model_name}", detail=detail)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, PeopleAdmin):  # type: ignore[type-arg]  # no generic at run time
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    readonly_fields = ["last_login", "date_joined"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: the log of what they did would go with them. Untick "active" instead."""
        return False


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, PeopleAdmin):
    pass
