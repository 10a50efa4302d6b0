"""What every list of the admin has: times and figures as on every other page, and only offered actions."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from ingestion.figures import bytes_text, count_text
from ingestion.time_tag import NOTHING, time_tag


class TimesAdmin(ModelAdmin):
    """Lists and pages whose times are the reader's, and whose figures can be read."""

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        """The columns; those of times and figures as `_shown` tells them."""
        times = self._times()
        return [times.get(str(name), name) for name in super().get_list_display(request)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        """With the times among them as `get_fieldsets` names them."""
        return self.with_times(super().get_readonly_fields(request, obj))

    def with_times(self, names: Sequence[Any]) -> list[Any]:
        """The names, and what stands in the place of the times among them."""
        return [*names, *(column for name, column in self._times().items() if name in names)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Those of one page; times that are only read are shown by `time_tag`, too."""
        names, times = self.get_readonly_fields(request, obj), self._times()
        if obj is None or self.has_change_permission(request, obj):
            times = {name: column for name, column in times.items() if name in names}
        return [
            (title, {**options, "fields": [times.get(str(name), name) for name in options["fields"]]})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def _times(self) -> dict[str, Callable[[models.Model], str]]:
        """Columns in the place of the model's fields of times and large numbers, by their names."""
        if "_columns" not in self.__dict__:
            shown = {field: _shown(field) for field in self.opts.fields}
            self._columns = {field.name: _column(field, text) for field, text in shown.items() if text}
        return self._columns

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The list; an action this reader was not offered is answered 403 (Django would only ignore it)."""
        asked = {name for name in request.POST.getlist("action") if name}
        if asked - set(self.get_actions(request)):
            raise PermissionDenied
        page: HttpResponse = super().changelist_view(request, extra_context)
        return page


def _shown(field: Any) -> Callable[[Any], str] | None:
    """How a field's value is told; None where Django's own way will do."""
    if isinstance(field, models.DateTimeField):
        return time_tag
    if not isinstance(field, models.BigIntegerField) or field.primary_key:
        return None
    return _bytes_told if "bytes" in field.name else count_text


def _bytes_told(value: int | None) -> str:
    return NOTHING if value is None else f"{bytes_text(value)} ({count_text(value)} bytes)"


def _column(field: Any, text: Callable[[Any], str]) -> Callable[[models.Model], str]:
    @admin.display(description=str(field.verbose_name).capitalize(), ordering=field.name)
    def shown(row: models.Model) -> str:
        return text(getattr(row, field.name))

    shown.__name__ = field.name
    return shown
