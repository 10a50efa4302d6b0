"""Receipts of what was loaded, published and purged, chained per connection so that tampering shows."""

from django.db import models
from django.db.models import Q

from ingestion.models.connection import ClientConnection
from ingestion.models.delivery import Delivery
from ingestion.models.source_file import SourceFile

SHA256 = "^[0-9a-f]{64}$"
# What the first receipt of a connection carries as the hash of the one before it.
NOTHING_BEFORE = "0" * 64


class ReceiptChain(models.Model):
    """The head of a connection's chain: its last receipt. Writing a receipt locks this row."""

    connection = models.OneToOneField(
        ClientConnection, models.PROTECT, primary_key=True, related_name="receipt_chain"
    )
    sequence = models.BigIntegerField(default=0)
    sha256 = models.CharField("SHA-256", max_length=64, default=NOTHING_BEFORE)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sequence=0, sha256=NOTHING_BEFORE) | Q(sequence__gt=0, sha256__regex=SHA256),
                name="receiptchain_head",
            )
        ]

    def __str__(self) -> str:
        return f"{self.sequence}:{self.sha256}"


class Receipt(models.Model):
    """What one load, publishing or purge did, as canonical JSON; append-only by trigger.

    `sha256` is that of `previous_sha256`, a line feed and `body`. `sequence` is 1-based per connection.
    """

    class Kind(models.TextChoices):
        FILE = "FILE", "File"
        DELIVERY = "DELIVERY", "Delivery"
        PURGE = "PURGE", "Purge"

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="receipts")
    sequence = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    source_file = models.ForeignKey(SourceFile, models.PROTECT, null=True, related_name="receipts")
    delivery = models.ForeignKey(Delivery, models.PROTECT, null=True, related_name="receipts")
    body = models.TextField()
    previous_sha256 = models.CharField("SHA-256 of the one before", max_length=64)
    sha256 = models.CharField("SHA-256", max_length=64)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "sequence"], name="receipt_sequence"),
            models.CheckConstraint(
                condition=Q(kind="FILE", source_file__isnull=False, delivery=None)
                | Q(kind="DELIVERY", source_file=None, delivery__isnull=False)
                | Q(kind="PURGE", source_file=None, delivery=None),
                name="receipt_is_of_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(sha256__regex=SHA256, previous_sha256__regex=SHA256), name="receipt_hashes"
            ),
            models.CheckConstraint(
                condition=Q(sequence=1, previous_sha256=NOTHING_BEFORE)
                | (Q(sequence__gt=1) & ~Q(previous_sha256=NOTHING_BEFORE)),
                name="receipt_first",
            ),
        ]
        indexes = [
            models.Index(fields=["source_file", "-sequence"], name="receipt_file"),
            models.Index(fields=["delivery", "-sequence"], name="receipt_delivery"),
        ]

    def __str__(self) -> str:
        return f"receipt {self.sequence} of {self.connection}"
