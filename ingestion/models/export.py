"""The recurring AWS exports found under a connection."""

from django.db import models

from ingestion.layouts.families import Family
from ingestion.models.client import ClientConnection


class Export(models.Model):
    """One recurring export: told apart by connection, root, name and key layout."""

    class Decision(models.TextChoices):
        AWAITING = "AWAITING", "Found, awaiting decision"
        LOAD = "LOAD", "Load"
        IGNORE = "IGNORE", "Do not load"

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="exports")
    root = models.CharField(
        max_length=1024, blank=True, help_text="The key up to the export's name, exactly."
    )
    name = models.CharField(max_length=256)
    key_layout = models.CharField(max_length=20, help_text="legacy_cur, data_export, dbr or generic.")
    mode = models.CharField(
        max_length=20, blank=True, help_text="create_new, overwrite or athena; blank: not known."
    )
    family = models.CharField(
        max_length=20, default=Family.UNKNOWN, choices=[(f.value, f.value) for f in Family]
    )
    decision = models.CharField(max_length=10, choices=Decision, default=Decision.AWAITING)
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["connection", "root", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "root", "name", "key_layout"], name="export_unique"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.root}{self.name}"
