"""Lists whose times are shown as on every other page."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from ingestion.time_tag import time_tag


class TimesAdmin(ModelAdmin):
    """A list whose times are the reader's."""

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        """The columns; those of times are shown by `time_tag`."""
        fields = [field for field in self.opts.fields if isinstance(field, models.DateTimeField)]
        times = {field.name: _column(field.name, str(field.verbose_name).capitalize()) for field in fields}
        return [times.get(str(name), name) for name in super().get_list_display(request)]


def _column(name: str, title: str) -> Callable[[models.Model], str]:
    @admin.display(description=title, ordering=name)
    def shown(row: models.Model) -> str:
        return time_tag(getattr(row, name))

    shown.__name__ = name
    return shown
