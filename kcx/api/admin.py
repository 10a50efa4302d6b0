"""Admin pages of service users and their tokens: made, shown once, revoked; each recorded."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from unfold.decorators import display

from ingestion.admin.history import HistoryAdmin
from ingestion.admin.times import TimesAdmin
from ingestion.staff_actions import record
from kcx.api.models import ServiceUser, Token

LASTS = [(7, "a week"), (30, "30 days"), (90, "90 days"), (365, "a year")]


class ServiceUserForm(forms.ModelForm):  # type: ignore[type-arg]  # no generic at run time
    class Meta:
        model = ServiceUser
        fields = ["name", "scope", "clients", "enabled"]

    def clean(self) -> dict[str, Any]:
        """Refuse names of clients beside "all": they would say less than is true."""
        said: dict[str, Any] = super().clean() or {}
        if said.get("scope") == ServiceUser.Scope.ALL and said.get("clients"):
            raise ValidationError({"clients": "It may read all clients: name none, or choose Named clients."})
        return said


@admin.register(ServiceUser)
class ServiceUserAdmin(TimesAdmin):
    form = ServiceUserForm
    list_display = ["name", "scope", "may_read", "enabled", "created_at"]
    filter_horizontal = ["clients"]
    search_fields = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServiceUser]:
        """With the clients the list names."""
        users: QuerySet[ServiceUser] = super().get_queryset(request)
        return users.prefetch_related("clients")

    @admin.display(description="May read")
    def may_read(self, user: ServiceUser) -> str:
        """The clients of its scope."""
        if user.scope == ServiceUser.Scope.ALL:
            return "all clients, those to come as well"
        return ", ".join(str(client) for client in user.clients.all()) or "nothing"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: its tokens stay on record. Untick "enabled" instead."""
        return False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, *rest: Any, **more: Any
    ) -> Any:
        """The page; what is saved by it is recorded in the same transaction, as it was and as it is."""
        before = self.get_object(request, object_id) if object_id else None
        request.scope_before = scope_of(before)  # type: ignore[attr-defined]
        request.readable_before = set(readable_by(before)) if before else set()  # type: ignore[attr-defined]
        return super().changeform_view(request, object_id, *rest, **more)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        """Save whose data it may read, and record who said so."""
        super().save_related(request, form, formsets, change)
        detail = {"before": request.scope_before, "after": scope_of(form.instance)}  # type: ignore[attr-defined]
        action = "change API service user" if change else "make API service user"
        # Who is told of it: also a client that it may read no more.
        concerned = request.readable_before.union(readable_by(form.instance))  # type: ignore[attr-defined]
        record(request.user.get_username(), action, detail=detail, clients=concerned)


def scope_of(user: ServiceUser | None) -> dict[str, Any] | None:
    """What the record says of a service user."""
    if user is None:
        return None
    return {
        "id": user.pk,
        "name": user.name,
        "scope": user.scope,
        "clients": sorted(user.clients.values_list("name", flat=True)),
        "enabled": user.enabled,
    }


def readable_by(user: ServiceUser) -> list[int]:
    """The clients whose data it may read now, for the record."""
    return list(user.readable_clients().values_list("pk", flat=True))


class TokenForm(forms.Form):
    user = forms.ModelChoiceField(ServiceUser.objects.filter(enabled=True), label="Service user")
    days = forms.TypedChoiceField(choices=LASTS, coerce=int, initial=90, label="It opens the API for")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "kcx-field"


@admin.register(Token)
class TokenAdmin(HistoryAdmin):
    list_display = [
        "beginning",
        "user",
        "state",
        "made_by",
        "created",
        "expiry",
        "last_used_at",
        "revoked_at",
    ]
    list_filter = ["user"]
    list_select_related = ["user"]
    fields = ["beginning", "user", "made_by", "created", "expiry", "last_used_at", "revoked_at"]
    readonly_fields = ["beginning"]
    actions = ["revoke"]

    @admin.display(description="Begins with", ordering="token_key")
    def beginning(self, token: Token) -> str:
        """Enough to tell it by, and far too little to use it."""
        return f"{token.token_key}..."

    @display(description="State", label={"Open": "success", "Closed": "warning"})
    def state(self, token: Token) -> str:
        """Does it open anything now?"""
        return "Open" if token.is_open else "Closed"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever holds the permission; superusers do."""
        return request.user.has_perm("api.add_token")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change tokens; revoking is the only change there is."""
        return request.user.has_perm("api.change_token")

    @admin.action(description="Revoke: they open nothing from now on", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """Close the chosen tokens for ever."""
        with transaction.atomic():
            chosen = list(tokens.filter(revoked_at=None))
            for token in chosen:
                Token.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
                name, clients = request.user.get_username(), readable_by(token.user)
                record(name, "revoke API token", detail=told(token), clients=clients)
        self.message_user(request, f"{len(chosen)} tokens revoked.")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask whose and for how long; then show the secret, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TokenForm(request.POST or None)
        context = {
            **self.admin_site.each_context(request),
            "title": "Make a token",
            "opts": Token._meta,
            "form": form,
        }
        if request.method == "POST" and form.is_valid():
            context["token"], context["secret"] = self._make(request, **form.cleaned_data)
        return TemplateResponse(request, "admin/api/token/make.html", context)

    def _make(self, request: HttpRequest, user: ServiceUser, days: int) -> tuple[Token, str]:
        with transaction.atomic():
            name = request.user.get_username()
            token, secret = Token.make(user, name, timedelta(days=days))
            record(name, "make API token", detail=told(token), clients=readable_by(user))
        return token, secret


def told(token: Token) -> dict[str, Any]:
    """What the record says of a token."""
    return {
        "begins_with": token.token_key,
        "service_user": token.user.name,
        "expires": token.expiry.isoformat(),
    }
