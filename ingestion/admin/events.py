"""Admin pages of events, and of the tries to tell them: to read, and to send again."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from ingestion.admin.history import HistoryAdmin
from ingestion.events import endpoints
from ingestion.models import Event, WebhookDelivery, WebhookMessage
from ingestion.time_tag import time_tag


@admin.register(Event)
class EventAdmin(HistoryAdmin):
    list_display = ["occurred_at", "kind", "client", "connection", "uid"]
    list_filter = ["kind", "client"]
    list_select_related = ["client", "connection"]
    search_fields = ["uid"]
    fields = ["uid", "kind", "occurred_at", "client", "connection", "facts"]
    readonly_fields = ["facts"]

    @admin.display(description="Payload")
    def facts(self, event: Event) -> str:
        """As receivers get it."""
        return format_html("<pre>{}</pre>", json.dumps(event.payload, indent=2, ensure_ascii=False))


class TriesInline(TabularInline):
    model = WebhookDelivery
    verbose_name_plural = "tries"
    fields = readonly_fields = ["began", "status_code", "error_code", "error_message", "seconds", "answer"]
    extra = 0
    can_delete = False

    @admin.display(description="At")
    def began(self, one: WebhookDelivery) -> str:
        """When the try began."""
        return time_tag(one.at)


@admin.register(WebhookMessage)
class WebhookMessageAdmin(HistoryAdmin):
    list_display = ["event", "endpoint", "status_label", "tries", "next_try_at", "ended_at", "reason"]
    list_filter = ["status", "endpoint", "event__kind"]
    list_select_related = ["event", "endpoint"]
    inlines = [TriesInline]
    actions = ["redeliver_now"]
    change_form_outer_after_template = "admin/ingestion/webhookendpoint/redeliver.html"

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        """Those who look after webhooks may."""
        return request.user.has_perm("ingestion.change_webhookendpoint")

    @admin.action(description="Redeliver", permissions=["redeliver"])
    def redeliver_now(self, request: HttpRequest, chosen: QuerySet[WebhookMessage]) -> None:
        """Send those that were delivered or given up once more."""
        self._redeliver(request, list(chosen.values_list("pk", flat=True)))

    def _redeliver(self, request: HttpRequest, ids: list[int]) -> None:
        found = WebhookMessage.objects.filter(pk__in=ids)
        count = endpoints.redeliver(found, request.user.get_username())
        told = f"{count} of {len(ids)} sent again; what waits already is left alone."
        self.message_user(request, told, messages.SUCCESS if count else messages.WARNING)

    def redeliver_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the button on a message's page does."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_redeliver_permission(request):
            raise PermissionDenied
        self._redeliver(request, [get_object_or_404(WebhookMessage, pk=pk).pk])
        return HttpResponseRedirect(reverse("admin:ingestion_webhookmessage_change", args=[pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """With the button below, for those who may press it."""
        more = {"may_redeliver": self.has_redeliver_permission(request)}
        page: HttpResponse = super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **more}
        )
        return page

    def get_urls(self) -> list[URLPattern]:
        """What the button does, beside the usual pages."""
        view = self.admin_site.admin_view(self.redeliver_one)
        own = path("<int:pk>/redeliver/", view, name="ingestion_webhookmessage_redeliver")
        return [own, *super().get_urls()]

    @display(
        description="Status",
        ordering="status",
        label={"Delivered": "success", "Given up": "danger", "Waiting": "info"},
    )
    def status_label(self, message: WebhookMessage) -> str:
        """The status, coloured."""
        return message.get_status_display()


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(HistoryAdmin):
    list_display = ["at", "endpoint", "event", "status_code", "error_code", "error_message", "seconds"]
    list_filter = ["message__endpoint", "error_code"]
    list_select_related = ["message__endpoint", "message__event"]

    @admin.display(description="Webhook")
    def endpoint(self, delivery: WebhookDelivery) -> str:
        """Where it went."""
        return str(delivery.message.endpoint)

    @admin.display(description="Event")
    def event(self, delivery: WebhookDelivery) -> str:
        """What it told."""
        return str(delivery.message.event)
