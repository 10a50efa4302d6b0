"""What people did: append-only."""

from django.db import models

from ingestion.models.client import ClientConnection
from ingestion.models.source_file import SourceFile


class StaffAction(models.Model):
    """One thing a person did or asked for, and why. Outlives the person's account."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=200, help_text="The user's name, or the shell's user.")
    action = models.CharField(
        max_length=60, help_text="As: retry, reprocess, skip, release, discover, enable."
    )
    connection = models.ForeignKey(ClientConnection, models.PROTECT, null=True, related_name="staff_actions")
    source_file = models.ForeignKey(SourceFile, models.PROTECT, null=True, related_name="staff_actions")
    reason = models.TextField(blank=True, help_text="In the person's own words.")
    detail = models.JSONField(default=dict, help_text="What was changed: before and after.")

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["connection", "-id"], name="staffaction_connection"),
            models.Index(fields=["source_file", "-id"], name="staffaction_file"),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"
