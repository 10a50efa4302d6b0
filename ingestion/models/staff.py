"""What people did: append-only."""

import json

from django.db import models

from ingestion.models.connection import ClientConnection
from ingestion.models.source_file import SourceFile

# In `detail`, where an action is of no connection: the clients it concerns.
CLIENT_IDS = "client_ids"


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

    @property
    def detail_text(self) -> str:
        """What was changed, as `role_arn: before -> after; export: lines`."""
        return "; ".join(_told(name, of) for name, of in self.detail.items() if name != CLIENT_IDS)


def _told(name: str, value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        return f"{name}: {_text(value['before'])} -> {_text(value['after'])}"
    return f"{name}: {_text(value)}"


def _text(value: object) -> str:
    return value or "nothing" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
