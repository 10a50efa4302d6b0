"""Verifications that were asked for; and the append-only audit: what was compared, and what came of it."""

from django.db import models
from django.db.models import Q

from ingestion.models.connection import ClientConnection
from ingestion.models.source_file import SourceFile


class Verification(models.Model):
    """One comparison of a file, or of a connection's receipts where `source_file` is empty."""

    class Outcome(models.TextChoices):
        EQUAL = "EQUAL", "Equal"
        DIFFERENT = "DIFFERENT", "Different"
        NOT_COMPARED = "NOT_COMPARED", "Could not be compared"

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="verifications")
    source_file = models.ForeignKey(SourceFile, models.PROTECT, null=True, related_name="verifications")
    actor = models.CharField(max_length=200, help_text="Who asked for it: a person, or the schedule.")
    against_s3 = models.BooleanField("against S3", default=False)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=12, choices=Outcome)
    report = models.JSONField(help_text="The first differences, and how many there are of each kind.")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(started_at__lte=models.F("ended_at")), name="verification_times_in_order"
            )
        ]
        indexes = [
            models.Index(fields=["source_file", "-ended_at"], name="verification_file"),
            models.Index(fields=["connection", "-id"], name="verification_connection"),
            models.Index(fields=["id"], condition=Q(outcome="DIFFERENT"), name="verification_different"),
        ]

    def __str__(self) -> str:
        return f"verification {self.pk}: {self.get_outcome_display()}"


class VerificationRequest(models.Model):
    """One verification that is asked for and not done yet: of a file, or of a whole connection."""

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="verification_requests")
    source_file = models.ForeignKey(
        SourceFile, models.PROTECT, null=True, related_name="verification_requests"
    )
    actor = models.CharField(max_length=200, help_text="A person, or the schedule.")
    against_s3 = models.BooleanField("against S3", default=False)
    requested_at = models.DateTimeField(auto_now_add=True)
    queued_at = models.DateTimeField(null=True, help_text="When a task was last queued for it.")
    tries = models.PositiveSmallIntegerField(default=0)
    done_up_to = models.BigIntegerField(
        default=0, help_text="Of a connection: the last file compared so far."
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "source_file", "against_s3"],
                name="verificationrequest_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"verification {self.actor} asked for"
