"""Pages of lists that may be a million rows long."""

import json
from typing import Any

from django.core.paginator import Page, Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property
from unfold.views import ChangeList

NEWEST_FIRST = ("-id",)
BEFORE = "id__lt"  # the admin's own filter by a field, and the cursor of these lists


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Counts MOST rows at most; a page sorts keys alone and then reads its own rows."""

    MOST = 10_000
    template_name = "admin/list_pages.html"

    @cached_property
    def count(self) -> int:
        """How many there are, MOST at most."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())

    def page(self, number: int | str) -> Page:  # type: ignore[type-arg]  # no generic at run time
        """One page; InvalidPage for a number there is not."""
        found = super().page(number)
        rows: Any = self.object_list
        keys: Any = found.object_list
        found.object_list = rows.filter(pk__in=keys.values("pk"))
        return found


class BoundedChangeList(ChangeList):
    """A list in stretches of BoundedPaginator.MOST: its page numbers are those of one stretch.

    `estimate`: about how many rows there are, where that is more than a stretch; else None.
    `next_stretch`, `first_stretch`: the addresses of those stretches; empty where there is none, and
    in a list that is not sorted newest first.
    """

    estimate: int | None = None
    next_stretch = ""
    first_stretch = ""

    def get_results(self, request: HttpRequest) -> None:
        """The rows of the page, and where the list goes on."""
        super().get_results(request)
        if BEFORE in self.params:
            self.first_stretch = self.get_query_string(remove=[BEFORE, "p"])
        if not (self.query or self.get_filters_params()):
            self.full_result_count = self.result_count  # these are all: nothing to "Show all" of
        most = self.paginator.MOST
        if self.result_count < most:
            return
        self.estimate = max(most, estimated(self.queryset))
        # What the page's title tells in brackets behind the number of results.
        self.show_full_result_count, self.full_result_count = True, f"about {self.estimate:,}"
        if tuple(self.queryset.query.order_by) == NEWEST_FIRST:
            last = self.queryset.values_list("pk", flat=True)[most - 1]
            self.next_stretch = self.get_query_string({BEFORE: last}, ["p"])


def estimated(rows: Any) -> int:
    """How many rows PostgreSQL expects of this query, by its statistics; to two digits."""
    (plan,) = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(float(f"{plan['Plan']['Plan Rows']:.2g}"))
