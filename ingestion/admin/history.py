"""Admin pages of what is history: seen by all staff, changed and deleted by nobody."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest

from ingestion.admin.paging import BoundedChangeList, BoundedPaginator
from ingestion.admin.times import TimesAdmin


class HistoryAdmin(TimesAdmin):
    """A list and a page to read."""

    show_full_result_count = False
    list_per_page = 50
    paginator = BoundedPaginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[BoundedChangeList]:
        """In stretches."""
        return BoundedChangeList

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        """All that the row holds, with the times that Django sets by itself and would leave out."""
        held = [field.name for field in self.opts.fields if field.name not in (self.exclude or ())]
        return self.fields or [*held, *self.get_readonly_fields(request, obj)]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: rows come from the pipeline."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: rows are changed by the pipeline only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: history stays."""
        return False
