"""What came in: column layouts, and raw rows as they were received."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class ColumnLayout(models.Model):
    """The ordered column names and Arrow types of a file; stored once however many files share it."""

    digest = models.CharField(
        max_length=64, unique=True, help_text="SHA-256 of the names and types, in order."
    )
    names = ArrayField(models.TextField(), help_text="The source's column names, exactly and in its order.")
    types = ArrayField(models.TextField(), help_text="The Arrow type of each column; string for CSV.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(names__len=models.F("types__len")) | Q(names=[], types=[]),
                name="billing_columnlayout_a_type_for_each_name",
            ),
            models.CheckConstraint(
                condition=~Q(names__contains=[""]), name="billing_columnlayout_no_nameless"
            ),
        ]

    def __str__(self) -> str:
        return f"{len(self.names)} columns ({self.digest[:8]})"


class RawRow(models.Model):
    """One row of a source file: `values` holds its cells in the order of the file's column layout.

    A cell is NULL where the file has no value and '' where it has an empty string. The table is
    partitioned by connection, append-only by trigger, and made by an SQL migration.
    """

    pk = models.CompositePrimaryKey("connection_id", "source_file_id", "row_number")
    connection_id = models.BigIntegerField()
    source_file_id = models.BigIntegerField()
    row_number = models.BigIntegerField(help_text="1-based; the header is not a row.")
    values = ArrayField(models.TextField(null=True))

    class Meta:
        managed = False
        db_table = "billing_rawrow"

    def __str__(self) -> str:
        return f"row {self.row_number} of file {self.source_file_id}"
