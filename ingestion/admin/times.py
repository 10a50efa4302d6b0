"""What every list of the admin has: times as on every other page, and no action that was not offered."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from ingestion.time_tag import time_tag


class TimesAdmin(ModelAdmin):
    """A list whose times are the reader's."""

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        """The columns; those of times are shown by `time_tag`."""
        fields = [field for field in self.opts.fields if isinstance(field, models.DateTimeField)]
        times = {field.name: _column(field.name, str(field.verbose_name).capitalize()) for field in fields}
        return [times.get(str(name), name) for name in super().get_list_display(request)]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list; an action this reader was not offered is answered 403 (Django would only ignore it)."""
        asked = {name for name in request.POST.getlist("action") if name}
        if asked - set(self.get_actions(request)):
            raise PermissionDenied
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page


def _column(name: str, title: str) -> Callable[[models.Model], str]:
    @admin.display(description=title, ordering=name)
    def shown(row: models.Model) -> str:
        return time_tag(getattr(row, name))

    shown.__name__ = name
    return shown
