"""The recurring AWS exports found under a connection."""

from django.db import models
from django.db.models import Q

from ingestion.layouts.families import Family
from ingestion.models.connection import ClientConnection


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
    has_manifests = models.BooleanField(
        default=False, help_text="A manifest was seen: it says what is complete."
    )
    without_manifests = models.BooleanField(
        "has no manifests at all",
        default=False,
        help_text="Staff's decision (replicated buckets): files load as they appear.",
    )
    payer_account = models.CharField(max_length=20, blank=True, help_text="As its manifests name it.")
    overlaps = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        help_text="Holds the same billing data: why this one waits.",
    )
    first_seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["connection", "root", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "root", "name", "key_layout"], name="export_unique"
            ),
            models.CheckConstraint(
                condition=Q(has_manifests=False) | Q(without_manifests=False),
                name="export_with_or_without_manifests",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.root}{self.name}"


class ExportColumn(models.Model):
    """The schema drift ledger: when a column of an export was first and last delivered."""

    export = models.ForeignKey(Export, models.PROTECT, related_name="columns")
    name = models.TextField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    first_period = models.DateField(null=True)
    last_period = models.DateField(null=True)

    class Meta:
        ordering = ["export", "name"]
        constraints = [models.UniqueConstraint(fields=["export", "name"], name="exportcolumn_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def longer_than_an_identifier(self) -> bool:
        """PostgreSQL cuts names at 63 bytes: a view could not carry this one whole."""
        return len(self.name.encode()) > 63
