"""The file registry: one row per version of an S3 object."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models import ColumnLayout
from ingestion.models.connection import ClientConnection
from ingestion.models.export import Export


class SourceFile(models.Model):
    """One version of one S3 object: (connection, key, ETag). Only pipeline step 7 changes its status."""

    class Status(models.TextChoices):
        NEW = "NEW", "New"
        INGESTED = "INGESTED", "Ingested"
        FAILED = "FAILED", "Failed"
        SKIPPED = "SKIPPED", "Skipped"

    class SkipReason(models.TextChoices):
        UNKNOWN = "UNKNOWN", "Not an AWS export file, nor a data file KCX can read"
        UNSUPPORTED = "UNSUPPORTED", "A kind of AWS report that KCX lists but does not load"
        UNLISTED = "UNLISTED", "No manifest lists it yet"
        OLDER = "OLDER", "Part of an older delivery: only the current one of each billing period is loaded"
        ARCHIVED = "ARCHIVED", "In an archive storage class: the client must restore it"
        REPLACED = "REPLACED", "Replaced before it was read"
        GONE = "GONE", "Gone before load"
        BY_STAFF = "BY_STAFF", "Skipped by staff"
        PURGED = "PURGED", "Purged with its connection: its rows were erased for good"

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="files")
    export = models.ForeignKey(Export, models.PROTECT, null=True, related_name="files")
    key = models.CharField(max_length=1024)
    etag = models.CharField("ETag", max_length=256, help_text="S3's opaque version token, quotes kept.")
    size = models.BigIntegerField(help_text="Bytes, as listed.")
    last_modified = models.DateTimeField(help_text="As listed when this version was first seen.")
    storage_class = models.CharField(max_length=40)
    billing_period_start = models.DateField(null=True)
    billing_period_end = models.DateField(null=True, help_text="Exclusive.")
    first_seen_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(
        db_default=Now(),
        editable=False,
        help_text="When the registry last changed what it says of the file; kept by a trigger.",
    )

    status = models.CharField(max_length=10, choices=Status, default=Status.NEW)
    skip_reason = models.CharField(max_length=20, choices=SkipReason, blank=True)
    ingested_at = models.DateTimeField(null=True)
    layout = models.ForeignKey(ColumnLayout, models.PROTECT, null=True, related_name="+")
    row_count = models.BigIntegerField(null=True)
    decoded_bytes = models.BigIntegerField(null=True, help_text="Bytes after decompression.")
    object_sha256 = models.CharField("object SHA-256", max_length=64, blank=True)
    rows_sha256 = models.CharField("rows SHA-256", max_length=64, blank=True)

    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.TextField(blank=True)
    next_action = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0, help_text="Failed tries in a row.")
    next_retry_at = models.DateTimeField(
        null=True, help_text="Empty on a failed file: it waits for a person."
    )
    reload_requested_at = models.DateTimeField(null=True)
    queued_at = models.DateTimeField(null=True, help_text="When a load task was last queued for it.")
    requested_by = models.CharField(
        max_length=200, blank=True, help_text="The person whose wish the next load is; empty: the schedule's."
    )

    class Meta:
        ordering = ["-id"]
        permissions = [("operate_sourcefile", "Can retry, reprocess, skip and release files")]
        constraints = [
            models.UniqueConstraint(fields=["connection", "key", "etag"], name="sourcefile_version"),
            models.CheckConstraint(
                condition=~Q(status="SKIPPED") | ~Q(skip_reason=""), name="sourcefile_skip_has_reason"
            ),
            models.CheckConstraint(
                condition=~Q(status="FAILED") | ~Q(error_code=""), name="sourcefile_failed_has_code"
            ),
            models.CheckConstraint(
                condition=Q(
                    status="INGESTED",
                    ingested_at__isnull=False,
                    layout__isnull=False,
                    row_count__isnull=False,
                    rows_sha256__regex="^[0-9a-f]{64}$",
                )
                | (
                    ~Q(status="INGESTED")
                    & Q(
                        ingested_at=None,
                        layout=None,
                        row_count=None,
                        rows_sha256="",
                        reload_requested_at=None,
                    )
                ),
                name="sourcefile_rows_only_when_ingested",
            ),
            models.CheckConstraint(
                condition=Q(billing_period_start=None, billing_period_end=None)
                | Q(billing_period_start__lt=F("billing_period_end")),
                name="sourcefile_period",
            ),
        ]
        indexes = [
            # What waits for a worker, newest billing period first: small however large the registry grows.
            models.Index(
                F("billing_period_start").desc(nulls_last=True),
                "id",
                condition=Q(status="NEW")
                | Q(next_retry_at__isnull=False)
                | Q(reload_requested_at__isnull=False),
                name="sourcefile_waiting",
            ),
            models.Index(fields=["connection", "status"], name="sourcefile_connection_status"),
            models.Index(fields=["export", "billing_period_start"], name="sourcefile_export_period"),
            # The registry's list by billing period, and which periods there are.
            models.Index(fields=["billing_period_start", "id"], name="sourcefile_period_page"),
            # What readers of the API ask for: a page of a connection's files, and what changed.
            models.Index(fields=["connection", "id"], name="sourcefile_connection_page"),
            models.Index(fields=["changed_at"], name="sourcefile_changed"),
            # What the dashboard asks at every look.
            models.Index(
                fields=["connection"], condition=Q(skip_reason="ARCHIVED"), name="sourcefile_archived"
            ),
            models.Index(
                fields=["connection", "error_code", "id"],
                include=["next_retry_at"],
                condition=Q(status="FAILED"),
                name="sourcefile_failed",
            ),
            models.Index(
                fields=["connection", "-ingested_at"],
                condition=Q(ingested_at__isnull=False),
                name="sourcefile_last_ingested",
            ),
            # Which layouts each export has: a sweep asks every minute.
            models.Index(
                fields=["export", "layout"], condition=Q(status="INGESTED"), name="sourcefile_export_layout"
            ),
        ]

    def __str__(self) -> str:
        return self.key
