"""Filters by one thing of many: chosen by following a link, and shown only while they narrow the list."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ingestion.models import ClientConnection, Export, SourceFile


class ChosenFilter(admin.SimpleListFilter):
    """By the id of one `model`, which the list's rows name in `field`. There are too many to offer."""

    model: Any
    field: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The chosen one, by name."""
        if not (value := self.value()):
            return []
        return [(value, str(self.model.objects.filter(pk=self._chosen()).first() or "There is none such"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What belongs to the chosen one."""
        return queryset.filter(**{self.field: self._chosen()}) if self.value() else queryset

    def _chosen(self) -> int:
        """0, which names none, for what is no id."""
        value = self.value() or ""
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else 0


class ExportFilter(ChosenFilter):
    """Of one export."""

    title = parameter_name = field = "export"
    model = Export


class FileFilter(ChosenFilter):
    """Of one file."""

    title, parameter_name, field = "file", "file", "source_file"
    model = SourceFile


class HoldsFileFilter(FileFilter):
    """What holds one file."""

    field = "files"


def files_named(key: str) -> QuerySet[SourceFile]:
    """All versions with this whole key, for a search in what belongs to files.

    In each connection apart: the index begins with it, and before PostgreSQL 18 serves no key alone.
    """
    every = ClientConnection.objects.order_by().values_list("pk", flat=True)
    return SourceFile.objects.filter(key=key, connection__in=list(every)).order_by()
