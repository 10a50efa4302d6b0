"""What people did: append-only."""

import json
from typing import Any

from django.db import models

from ingestion.models.connection import ClientConnection
from ingestion.models.source_file import SourceFile

# In `detail`, where an action is of no connection: the clients it concerns.
CLIENT_IDS = "client_ids"
# What no client may read of another: those ids, and the names of those a service user may read.
OF_CLIENTS = (CLIENT_IDS, "clients")


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
    def told(self) -> dict[str, Any]:
        """`detail` as each client that it concerns may read it: without the other clients."""
        told: dict[str, Any] = _without_clients(self.detail)
        return told

    @property
    def detail_text(self) -> str:
        """The same as text: `role_arn: before -> after; export: lines`."""
        return "; ".join(_told(name, of) for name, of in self.told.items())


def _without_clients(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _without_clients(of) for name, of in value.items() if name not in OF_CLIENTS}


def _told(name: str, value: object) -> str:
    if isinstance(value, dict) and value.keys() == {"before", "after"}:
        return f"{name}: {_text(value['before'])} -> {_text(value['after'])}"
    return f"{name}: {_text(value)}"


def _text(value: object) -> str:
    return value or "nothing" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
