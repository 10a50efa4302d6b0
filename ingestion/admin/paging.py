"""Pages of lists that may be a million rows long."""

from typing import Any

from django.core.paginator import Paginator
from django.utils.functional import cached_property


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # no generic at run time
    """Counts no further than MOST: who looks for more narrows the list."""

    MOST = 10_000

    @cached_property
    def count(self) -> int:
        """How many there are, MOST at most."""
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())
