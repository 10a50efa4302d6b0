"""Admin pages of connections."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from ingestion.admin.changes import changes
from ingestion.admin.clients import NeverDeleted
from ingestion.admin.connection_acts import act
from ingestion.admin.connection_forms import AddForm, ConnectionForm
from ingestion.admin.connection_home import artefact_download, guarded, home_page, ladder_part, now_part
from ingestion.admin.receipts import verify_connections
from ingestion.admin.role_policies import role_policies_shown
from ingestion.admin.transparency import transparency_page
from ingestion.models import ClientConnection
from ingestion.onboarding import add_connection
from ingestion.plan import plan
from ingestion.plan_text import plans_as_text
from ingestion.queueing import queue_access_check, request_discovery
from ingestion.staff_actions import record


@admin.register(ClientConnection)
class ClientConnectionAdmin(NeverDeleted):
    list_display = [
        "home",
        "client",
        "bucket",
        "prefix",
        "enabled",
        "last_discovered_at",
        "next_discovery_at",
    ]
    list_display_links = None
    list_filter = ["enabled", "client"]
    list_select_related = ["client"]
    search_fields = ["name", "bucket", "prefix", "client__name"]
    autocomplete_fields = ["client"]
    actions = ["discover_now", verify_connections]
    form = ConnectionForm
    add_fieldsets = [
        ("The client", {"fields": ["client", "new_client", "name"]}),
        ("Where the exports are", {"fields": ["bucket", "prefix", "region"]}),
        ("Access, as far as it is known", {"fields": ["role_arn", "kms_key_arn"]}),
    ]
    fieldsets = [
        (None, {"fields": ["client", "name", "enabled", "load_new_exports", "load_history"]}),
        ("Where the exports are", {"fields": ["bucket", "prefix", "region", "bucket_owner", "kms_key_arn"]}),
        ("Access", {"fields": ["role_arn", "external_id", "role_policies", "unverified_reason"]}),
        ("The plan", {"fields": ["plan"]}),
        ("Schedule", {"fields": ["discover_every", "next_discovery_at", "last_discovered_at", "purged_at"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: ClientConnection | None = None) -> list[Any]:
        """The client stays, and so does KCX's external id; bucket and prefix freeze with the first file.

        What has its own button is not saved here: this page may be older than what a colleague did by it.
        """
        if obj is None:
            return []
        fixed = ["client", "enabled", "external_id", "role_policies", "unverified_reason", "plan"]
        fixed += ["last_discovered_at", "purged_at"]
        return self.with_times(fixed + (list(ClientConnection.FROZEN) if obj.files.exists() else []))

    def get_fieldsets(self, request: HttpRequest, obj: ClientConnection | None = None) -> Any:
        """A new connection asks for what nobody else can know."""
        return super().get_fieldsets(request, obj) if obj else self.add_fieldsets

    def get_form(
        self,
        request: HttpRequest,
        obj: ClientConnection | None = None,
        change: bool = False,  # noqa: FBT001, FBT002  # Django's signature
        **options: Any,
    ) -> Any:
        """A new connection's client may be made with it."""
        return super().get_form(request, obj, change, **(options if obj else {**options, "form": AddForm}))

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """May this person ask for verifications?"""
        return request.user.has_perm("ingestion.operate_sourcefile")

    @admin.display(description="Connection", ordering="name")
    def home(self, connection: ClientConnection) -> str:
        """Its name, which leads to its home."""
        address = reverse("admin:ingestion_clientconnection_home", args=[connection.pk])
        return format_html('<a class="kcx-link" href="{}">{}</a>', address, connection.name)

    def get_urls(self) -> list[URLPattern]:
        """The connection's home and what its buttons do, beside the usual pages."""

        def own(address: str, view: Any, name: str) -> URLPattern:
            named = f"ingestion_clientconnection_{name}"
            page: URLPattern = path(
                address, guarded(self.admin_site, view), {"model_admin": self}, name=named
            )
            return page

        return [
            own("<int:pk>/home/", home_page, "home"),
            own("<int:pk>/ladder/", ladder_part, "ladder"),
            own("<int:pk>/now/", now_part, "now"),
            own("<int:pk>/transparency/", transparency_page, "transparency"),
            own("<int:pk>/artefacts/<str:name>/", artefact_download, "artefact"),
            own("<int:pk>/do/<str:what>/", act, "act"),
            *super().get_urls(),
        ]

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: ClientConnection, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        """Save what the form allowed, and record it; check access where what it depends on was changed."""
        person = request.user.get_username()
        if not change:
            add_connection(obj, form.client_name, person)
            return
        obj.save(update_fields=form.changed_data)  # what others changed meanwhile stays
        # A form knows no microseconds.
        names = [name for name in form.changed_data if name != "next_discovery_at"]
        if detail := changes(form, names):
            record(person, "change connection", connection=obj, detail=detail)
        if obj.enabled and obj.client.enabled and obj.subject.keys() & form.changed_data:
            queue_access_check(obj.pk, person)
            told = "Access was verified with other settings: a check of these is queued."
            self.message_user(request, told, messages.WARNING)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Saving goes on to the new connection's home, and nowhere else."""
        only_save = {"show_save_and_add_another": False, "show_save_and_continue": False}
        page: HttpResponse = super().add_view(request, form_url, {**(extra_context or {}), **only_save})
        return page

    def response_add(
        self, request: HttpRequest, obj: ClientConnection, post_url_continue: Any = None
    ) -> HttpResponse:
        """A new connection goes on to its home: what to send to the client."""
        self.message_user(
            request, f"Added: {obj.name}. Send the texts below to the client.", messages.SUCCESS
        )
        return HttpResponseRedirect(reverse("admin:ingestion_clientconnection_home", args=[obj.pk]))

    @admin.display(description="Policies of the role")
    def role_policies(self, connection: ClientConnection) -> str:
        """Both policies, to send to the client; why not, where KCX's own account is not known."""
        if connection.pk is None:
            return "Shown once the connection is saved."
        return role_policies_shown(connection)

    @admin.display(description="What would be loaded")
    def plan(self, connection: ClientConnection) -> str:
        """The exports found, what waits to be loaded, what is left out and why."""
        if connection.pk is None or connection.last_discovered_at is None:
            return "Known after the first discovery."
        return format_html("<pre>{}</pre>", plans_as_text({connection.name: plan(connection)}).strip())

    def has_discover_permission(self, request: HttpRequest) -> bool:
        """May this person ask for discoveries?"""
        return request.user.has_perm("ingestion.discover_clientconnection")

    @admin.action(description="Discover now", permissions=["discover"])
    def discover_now(self, request: HttpRequest, connections: QuerySet[ClientConnection]) -> None:
        """Queue a discovery of each chosen connection that is enabled."""
        enabled = connections.filter(enabled=True, client__enabled=True)
        for connection in enabled:
            request_discovery(connection, request.user.get_username())
        disabled = connections.count() - len(enabled)
        left_alone = f" {disabled} disabled left alone." if disabled else ""
        told = f"{len(enabled)} discoveries queued.{left_alone}"
        self.message_user(request, told, messages.WARNING if disabled else messages.SUCCESS)
