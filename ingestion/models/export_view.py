"""The catalogue of the views by column name, and of the clients' schemas; the owner's functions write it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from billing.models import ColumnLayout
from ingestion.models.client import Client
from ingestion.models.export import Export


class ExportView(models.Model):
    """The view of one export: its name, given once, and how many columns of the export it has now."""

    export = models.OneToOneField(Export, models.PROTECT, primary_key=True, related_name="view")
    name = models.CharField(max_length=63, unique=True)
    columns = models.IntegerField(default=0, help_text="The source's columns that the view has now.")
    made_at = models.DateTimeField(null=True, help_text="When the view was last made; null: not yet.")

    def __str__(self) -> str:
        return self.name


class ExportViewColumn(models.Model):
    """A column of an export, by name and place among its duplicates, and the name it has in the view.

    `position` counts the view's source columns from 1; it and `name` are null where the view has no room.
    """

    export = models.ForeignKey(Export, models.PROTECT, related_name="view_columns")
    source_name = models.TextField()
    occurrence = models.IntegerField(
        help_text="1, or 2 for a layout's second column of this name, and so on."
    )
    position = models.IntegerField(null=True)
    name = models.CharField(max_length=63, null=True)  # noqa: DJ001  # null, as '' would not be unique

    class Meta:
        constraints = [
            models.UniqueConstraint("export", Lower("name"), name="exportviewcolumn_name"),
            models.UniqueConstraint(fields=["export", "position"], name="exportviewcolumn_position"),
        ]

    def __str__(self) -> str:
        return self.name or self.source_name


class ExportViewLayout(models.Model):
    """Where a layout has the view's columns: element n is the place of column n, 0 where it has none."""

    export = models.ForeignKey(Export, models.PROTECT, related_name="view_layouts")
    layout = models.ForeignKey(ColumnLayout, models.PROTECT, related_name="+")
    positions = ArrayField(models.IntegerField())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["export", "layout"], name="exportviewlayout_unique")]

    def __str__(self) -> str:
        return f"{self.layout} in {self.export}"


class ClientSchema(models.Model):
    """The schema that shows one client its own rows, and the role that reads it; both have one name."""

    client = models.OneToOneField(Client, models.PROTECT, primary_key=True, related_name="schema")
    name = models.CharField(max_length=63, unique=True)
    connections = ArrayField(models.BigIntegerField(), default=list, help_text="Whose rows its views show.")
    made_at = models.DateTimeField(null=True, help_text="When its views were last made; null: not yet.")

    def __str__(self) -> str:
        return self.name
