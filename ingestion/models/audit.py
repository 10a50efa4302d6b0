"""Append-only audit: what was tried, listed, registered and ignored, and why."""

from django.db import models
from django.db.models import Q

from ingestion.models.connection import ClientConnection
from ingestion.models.source_file import SourceFile


class DiscoveryRun(models.Model):
    """One listing of a connection. `counts` (objects by kind) sums to `listed`."""

    class Outcome(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        FAILED = "FAILED", "Failed"

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="discovery_runs")
    actor = models.CharField(max_length=200, help_text="Who asked for it: a person, or the schedule.")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    listed = models.BigIntegerField(default=0, help_text="Objects in the listing.")
    listed_bytes = models.BigIntegerField(default=0)
    registered = models.BigIntegerField(default=0, help_text="File versions that were new.")
    counts = models.JSONField(default=dict, help_text="Objects listed, by kind.")
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    next_action = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(outcome="FAILED") | ~Q(error_code=""), name="discoveryrun_failed_has_code"
            ),
            models.CheckConstraint(
                condition=Q(outcome="RUNNING", ended_at=None)
                | (~Q(outcome="RUNNING") & Q(ended_at__isnull=False)),
                name="discoveryrun_ended",
            ),
        ]
        indexes = [models.Index(fields=["connection", "-id"], name="discoveryrun_connection")]

    def __str__(self) -> str:
        return f"discovery {self.pk} of {self.connection}"


class LoadAttempt(models.Model):
    """One try to load one source file; seen while it runs, closed with the load's own transaction."""

    class Outcome(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        SUCCEEDED = "SUCCEEDED", "Succeeded"
        FAILED = "FAILED", "Failed"
        CRASHED = "CRASHED", "Crashed"

    source_file = models.ForeignKey(SourceFile, models.PROTECT, related_name="attempts")
    actor = models.CharField(max_length=200, help_text="Who asked for it: a person, or the schedule.")
    worker = models.CharField(max_length=200, help_text="Host and process id.")
    is_reload = models.BooleanField(default=False)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    progress_at = models.DateTimeField(null=True)
    rows = models.BigIntegerField(default=0)
    bytes_read = models.BigIntegerField(default=0, help_text="Bytes of the object read so far.")
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    next_action = models.TextField(blank=True)
    error_row = models.BigIntegerField(null=True)
    error_column = models.TextField(blank=True)
    evidence = models.JSONField(
        default=dict,
        help_text="Where a bad file is bad: offsets, and an excerpt whose letters and digits are masked.",
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="RUNNING", ended_at=None)
                | (~Q(outcome="RUNNING") & Q(ended_at__isnull=False)),
                name="loadattempt_ended",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="FAILED") | ~Q(error_code=""), name="loadattempt_failed_has_code"
            ),
        ]
        indexes = [
            models.Index(fields=["source_file", "-id"], name="loadattempt_file"),
            models.Index(fields=["id"], condition=Q(outcome="RUNNING"), name="loadattempt_running"),
            # What the dashboard tells of reloads, and the list it leads to.
            models.Index(
                fields=["-ended_at"],
                condition=Q(is_reload=True) & ~Q(error_code=""),
                name="loadattempt_failed_reload",
            ),
            # The dashboard's rows and bytes by day.
            models.Index(
                fields=["ended_at"],
                include=["rows", "bytes_read"],
                condition=Q(outcome="SUCCEEDED"),
                name="loadattempt_succeeded",
            ),
        ]

    def __str__(self) -> str:
        return f"attempt {self.pk} on file {self.source_file_id}"
