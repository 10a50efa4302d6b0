"""Events: what happened, for whom it is, and how the webhooks that tell it went."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q

from ingestion.models.client import Client
from ingestion.models.connection import ClientConnection


class Event(models.Model):
    """One fact, written in the transaction that makes it one: append-only."""

    class Kind(models.TextChoices):
        DELIVERY_PUBLISHED = "delivery.published", "Delivery published"
        DELIVERY_INCOMPLETE = "delivery.incomplete", "Delivery incomplete"
        DELIVERY_LATE = "delivery.late", "Delivery late"
        MONTH_RESTATED = "month.restated", "Finished month restated"
        FILE_FAILED = "file.failed", "File failed"
        ACCESS_LOST = "access.lost", "Access lost"
        TEST = "test", "Test"

    uid = models.UUIDField("event id", unique=True, default=uuid.uuid4)
    kind = models.CharField(max_length=30, choices=Kind)
    client = models.ForeignKey(Client, models.PROTECT, null=True, related_name="events")
    connection = models.ForeignKey(ClientConnection, models.PROTECT, null=True, related_name="events")
    occurred_at = models.DateTimeField(auto_now_add=True)
    dedupe_key = models.CharField(
        max_length=200, unique=True, help_text="Names the fact: the same one is never written twice."
    )
    payload = models.JSONField(help_text="The facts, as every receiver gets them.")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["connection", "-id"], name="event_connection")]

    def __str__(self) -> str:
        return f"{self.kind} {self.uid}"


class WebhookEndpoint(models.Model):
    """Where events are sent. What it signs with is made from Django's key and `seed`, and is not stored."""

    KINDS = [(kind.value, kind.label) for kind in Event.Kind if kind != Event.Kind.TEST]

    name = models.CharField(max_length=200, unique=True)
    client = models.ForeignKey(
        Client,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="webhook_endpoints",
        help_text="Empty: the events of all clients.",
    )
    url = models.URLField(
        "URL",
        max_length=2000,
        help_text="Its host must be in KCX_WEBHOOK_HOSTS. Staff can read it: no secrets.",
    )
    kinds = ArrayField(models.CharField(max_length=30, choices=KINDS), blank=True, default=list)
    enabled = models.BooleanField(default=True)
    disabled_reason = models.TextField(blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    rests_until = models.DateTimeField(null=True, editable=False, help_text="A try failed just now.")
    seed = models.CharField(max_length=64, editable=False)
    fingerprint = models.CharField("secret's fingerprint", max_length=16, editable=False)
    former_seed = models.CharField(max_length=64, blank=True, editable=False)
    former_fingerprint = models.CharField(max_length=16, blank=True, editable=False)
    former_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(condition=~Q(seed="") & ~Q(fingerprint=""), name="webhook_signs"),
            models.CheckConstraint(
                condition=Q(former_seed="", former_fingerprint="", former_until=None)
                | (~Q(former_seed="") & ~Q(former_fingerprint="") & Q(former_until__isnull=False)),
                name="webhook_former",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse another client: events that wait, or were sent, would go to a receiver they are not of."""
        before = WebhookEndpoint.objects.filter(pk=self.pk).first()
        if before is not None and before.client_id != self.client_id:
            raise ValidationError({"client": "A webhook stays its client's: disable it, and add another."})


class WebhookMessage(models.Model):
    """One event for one endpoint, until it is delivered or given up."""

    class Status(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        DELIVERED = "DELIVERED", "Delivered"
        GIVEN_UP = "GIVEN_UP", "Given up"

    event = models.ForeignKey(Event, models.PROTECT, related_name="messages")
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="messages")
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    tries = models.PositiveIntegerField(default=0, help_text="Since it was made, or last redelivered.")
    waiting_since = models.DateTimeField()
    next_try_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True, help_text="When a task was last queued for it.")
    ended_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True, help_text="Why it was given up, or what the last try said.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="webhookmessage_unique"),
            models.CheckConstraint(
                condition=Q(status="WAITING", next_try_at__isnull=False, ended_at=None)
                | (~Q(status="WAITING") & Q(next_try_at=None, ended_at__isnull=False)),
                name="webhookmessage_status",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(status="WAITING"), name="webhookmessage_waiting"
            ),
            models.Index(fields=["ended_at"], condition=Q(status="GIVEN_UP"), name="webhookmessage_given_up"),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}"


class WebhookDelivery(models.Model):
    """One try to deliver a message: append-only."""

    message = models.ForeignKey(WebhookMessage, models.PROTECT, related_name="deliveries")
    at = models.DateTimeField(help_text="When the try began.")
    seconds = models.FloatField()
    status_code = models.PositiveIntegerField(null=True, help_text="Empty: there was no answer.")
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    answer = models.TextField(blank=True, help_text="The first 200 bytes of it.")

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"

    def __str__(self) -> str:
        return f"webhook delivery {self.pk}"
