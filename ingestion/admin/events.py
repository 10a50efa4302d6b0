"""Admin pages of events, and of the tries to tell them: to read, and to send again."""

import json

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from ingestion.admin.history import HistoryAdmin
from ingestion.events import endpoints
from ingestion.models import Event, WebhookDelivery, WebhookMessage


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
    fields = readonly_fields = ["at", "status_code", "error_code", "error_message", "seconds", "answer"]
    extra = 0
    can_delete = False


@admin.register(WebhookMessage)
class WebhookMessageAdmin(HistoryAdmin):
    list_display = ["event", "endpoint", "status_label", "tries", "next_try_at", "ended_at", "reason"]
    list_filter = ["status", "endpoint", "event__kind"]
    list_select_related = ["event", "endpoint"]
    inlines = [TriesInline]
    actions = ["redeliver_now"]

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        """Those who look after webhooks may."""
        return request.user.has_perm("ingestion.change_webhookendpoint")

    @admin.action(description="Redeliver", permissions=["redeliver"])
    def redeliver_now(self, request: HttpRequest, chosen: QuerySet[WebhookMessage]) -> None:
        """Send those that were delivered or given up once more."""
        # By id: the list's own query is sorted and cut.
        ids = list(chosen.values_list("pk", flat=True))
        found = WebhookMessage.objects.filter(pk__in=ids)
        count = endpoints.redeliver(found, request.user.get_username())
        told = f"{count} of {len(ids)} are sent again; the others wait already."
        self.message_user(request, told, messages.SUCCESS if count else messages.WARNING)

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
