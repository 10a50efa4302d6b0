"""Admin pages of webhooks: where events go, and what their buttons do."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminURLInputWidget

from ingestion.admin.clients import NeverDeleted
from ingestion.errors import IngestionError
from ingestion.events import endpoints
from ingestion.events.signing import secret_of
from ingestion.events.targets import target_of
from ingestion.models import WebhookDelivery, WebhookEndpoint

TRIES_SHOWN = 20


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]  # it cannot be subscripted at run time
    """What staff enter: only a URL that an administrator allowed."""

    url = forms.URLField(
        label="URL",
        max_length=2000,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
        help_text=WebhookEndpoint._meta.get_field("url").help_text,
    )
    kinds = forms.MultipleChoiceField(
        choices=WebhookEndpoint.KINDS,
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: all.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = ["name", "client", "url", "kinds", "enabled"]

    def clean_url(self) -> str:
        """Refused here already; that its address is public is seen at each try."""
        url: str = self.cleaned_data["url"]
        try:
            target_of(url)
        except IngestionError as error:
            raise ValidationError(f"{error} {error.next_action}") from error
        return url


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(NeverDeleted):
    form = WebhookForm
    list_display = ["name", "client_or_all", "url", "state", "created_at"]
    list_filter = ["enabled", "client"]
    list_select_related = ["client"]
    search_fields = ["name", "url"]
    fields = ["name", "client", "url", "kinds", "enabled", "disabled_reason", "fingerprint"]
    change_form_outer_after_template = "admin/ingestion/webhookendpoint/below.html"

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> list[str]:
        """Whose events it gets is said once."""
        return ["disabled_reason", "fingerprint", *(["client"] if obj else [])]

    @admin.display(description="Client", ordering="client")
    def client_or_all(self, endpoint: WebhookEndpoint) -> str:
        """Whose events it gets."""
        return str(endpoint.client or "All clients")

    @display(description="State", ordering="enabled", label={"Enabled": "success", "Disabled": "warning"})
    def state(self, endpoint: WebhookEndpoint) -> str:
        """Coloured."""
        return "Enabled" if endpoint.enabled else "Disabled"

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:  # noqa: FBT001  # Django's signature
        """Save what the form allowed, and record it."""
        changes = {
            name: {"before": str(form.initial.get(name, "")), "after": str(form.cleaned_data[name])}
            for name in form.changed_data
        }
        endpoints.save(obj, request.user.get_username(), changes)

    def response_add(
        self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: Any = None
    ) -> HttpResponse:
        """A new webhook's secret, shown in this answer and never again."""
        super().response_add(request, obj, post_url_continue)
        return _secret_page(self, request, obj, secret_of(obj.seed, obj.fingerprint))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With the buttons and the last tries below."""
        pk = int(object_id) if object_id.isdecimal() else 0
        tries = WebhookDelivery.objects.filter(message__endpoint=pk).select_related("message__event")
        more = {"tries": tries[:TRIES_SHOWN], "may_change": self.has_change_permission(request)}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )
        return page

    def get_urls(self) -> list[URLPattern]:
        """What the buttons do, beside the usual pages."""
        do = path(
            "<int:pk>/do/<str:what>/",
            self.admin_site.admin_view(act),
            {"model_admin": self},
            name="ingestion_webhookendpoint_act",
        )
        return [do, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookEndpoint]:
        """All of them, with their clients."""
        found: QuerySet[WebhookEndpoint] = super().get_queryset(request)
        return found.select_related("client")


@require_POST
def act(request: HttpRequest, model_admin: Any, pk: int, what: str) -> HttpResponse:
    """Do what a button of the page says."""
    if not model_admin.has_change_permission(request):
        raise PermissionDenied
    if what not in ACTS:
        raise Http404
    return ACTS[what](model_admin, request, get_object_or_404(WebhookEndpoint, pk=pk))


def _test(_admin: Any, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
    endpoints.send_test(endpoint, request.user.get_username())
    messages.success(request, "A test event is queued; its tries are shown below.")
    return _back(endpoint)


def _rotate(model_admin: Any, request: HttpRequest, endpoint: WebhookEndpoint) -> HttpResponse:
    fingerprint = request.POST.get("fingerprint", "")
    secret = endpoints.rotate(endpoint.pk, fingerprint, request.user.get_username())
    if secret is None:
        messages.error(request, "A newer secret was made already; this page was an older one.")
        return _back(endpoint)
    endpoint.refresh_from_db()
    return _secret_page(model_admin, request, endpoint, secret)


Act = Callable[[Any, HttpRequest, WebhookEndpoint], HttpResponse]
ACTS: dict[str, Act] = {"test": _test, "rotate": _rotate}


def _secret_page(
    model_admin: Any, request: HttpRequest, endpoint: WebhookEndpoint, secret: str
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"The secret of {endpoint.name}",
        "opts": WebhookEndpoint._meta,
        "endpoint": endpoint,
        "secret": secret,
    }
    # The admin's pages are never cached.
    return TemplateResponse(request, "admin/ingestion/webhookendpoint/secret.html", context)


def _back(endpoint: WebhookEndpoint) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:ingestion_webhookendpoint_change", args=[endpoint.pk]))
