"""Deliveries: what AWS delivered, and which delivery of each scope is current."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from ingestion.models.export import Export
from ingestion.models.source_file import SourceFile


class DeliveryScope(models.Model):
    """What at most one delivery is CURRENT for; publishing locks its row.

    A billing period of an export (`key` empty), or one key where files come without manifests.
    """

    export = models.ForeignKey(Export, models.PROTECT, related_name="scopes")
    billing_period_start = models.DateField(null=True)
    key = models.CharField(max_length=1024, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["export", "key"], condition=~Q(key=""), name="scope_of_key"),
            models.UniqueConstraint(
                fields=["export", "billing_period_start"], condition=Q(key=""), name="scope_of_period"
            ),
            models.CheckConstraint(
                condition=~Q(key="") | Q(billing_period_start__isnull=False), name="scope_is_one"
            ),
        ]
        indexes = [
            # The newest keys of an export tell its cadence, however many it has.
            models.Index(fields=["export", "id"], condition=~Q(key=""), name="scope_newest_keys"),
        ]

    def __str__(self) -> str:
        return self.key or f"{self.export} {self.billing_period_start:%Y-%m}"


class Delivery(models.Model):
    """One refresh of one scope: an observation of what AWS delivered, not a version of data."""

    class Status(models.TextChoices):
        PENDING = "PENDING", "Pending"
        CURRENT = "CURRENT", "Current"
        SUPERSEDED = "SUPERSEDED", "Superseded"
        INCOMPLETE = "INCOMPLETE", "Incomplete"

    scope = models.ForeignKey(DeliveryScope, models.PROTECT, related_name="deliveries")
    snapshot_id = models.CharField(max_length=256, help_text="AWS's assembly or execution id; a key's ETag.")
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    reason = models.TextField(blank=True)
    manifest_key = models.CharField(max_length=1024, blank=True)
    manifest_etag = models.CharField(max_length=256, blank=True)
    listed_keys = ArrayField(
        models.TextField(),
        null=True,
        default=list,
        help_text="The data files its manifest lists; null where the manifest was not read, or cannot be.",
    )
    manifest_columns = ArrayField(
        models.TextField(),
        null=True,
        help_text="The columns its manifest names, as a header spells them; null where it was not read.",
    )
    restatement = models.JSONField(
        null=True, help_text="What changed against the delivery that was current before."
    )
    delivered_at = models.DateTimeField(help_text="AWS's time: LastModified of the manifest, or of the key.")
    published_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    files: "models.ManyToManyField[SourceFile, DeliveryFile]" = models.ManyToManyField(
        SourceFile, through="DeliveryFile", related_name="deliveries"
    )

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["scope", "delivered_at", "snapshot_id"], name="delivery_unique"),
            models.UniqueConstraint(
                fields=["scope"], condition=Q(status="CURRENT"), name="delivery_one_current"
            ),
            models.CheckConstraint(
                condition=~Q(status="CURRENT") | Q(published_at__isnull=False, superseded_at=None),
                name="delivery_current_is_published",
            ),
            models.CheckConstraint(
                condition=~Q(status="SUPERSEDED") | Q(superseded_at__isnull=False),
                name="delivery_superseded_at",
            ),
            models.CheckConstraint(
                condition=Q(published_at=None)
                | Q(superseded_at=None)
                | Q(superseded_at__gte=F("published_at")),
                name="delivery_times_in_order",
            ),
            models.CheckConstraint(condition=~Q(status="INCOMPLETE") | ~Q(reason=""), name="delivery_reason"),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(status="PENDING"), name="delivery_pending"),
            models.Index(fields=["id"], condition=Q(status="INCOMPLETE"), name="delivery_incomplete"),
            models.Index(
                fields=["published_at"],
                include=["scope", "delivered_at"],
                condition=Q(published_at__isnull=False),
                name="delivery_published",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.snapshot_id}"


class DeliveryFile(models.Model):
    """A source file of a delivery, and the LastModified that was seen with it."""

    delivery = models.ForeignKey(Delivery, models.PROTECT)
    source_file = models.ForeignKey(SourceFile, models.PROTECT)
    last_modified = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["delivery", "source_file"], name="deliveryfile_unique")
        ]

    def __str__(self) -> str:
        return f"{self.source_file_id} in {self.delivery_id}"
