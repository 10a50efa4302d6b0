"""Filters of the file registry's list; `kcx/dashboard/links.py` leads to it by their parameters."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest

from ingestion.admin.audit import ErrorCodeFilter
from ingestion.attempts import RUNNING
from ingestion.models import SourceFile

NO_PERIOD = "none"

# One step of the index per period: DISTINCT would read all of it.
PERIODS = """
WITH RECURSIVE period (start) AS (
    SELECT min(billing_period_start) FROM ingestion_sourcefile
    UNION ALL
    SELECT (SELECT min(billing_period_start) FROM ingestion_sourcefile
            WHERE billing_period_start > period.start)
    FROM period WHERE period.start IS NOT NULL
)
SELECT start FROM period WHERE start IS NOT NULL ORDER BY start DESC
"""


class PeriodFilter(admin.SimpleListFilter):
    """The billing periods that occur, newest first, and none at all."""

    title = "billing period"
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice per period."""
        with connection.cursor() as cursor:
            cursor.execute(PERIODS)
            periods = [(str(start), f"{start:%Y-%m}") for (start,) in cursor.fetchall()]
        return [*periods, (NO_PERIOD, "No period")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SourceFile]) -> QuerySet[SourceFile]:
        """The files of the chosen period."""
        if not self.value():
            return queryset
        if self.value() == NO_PERIOD:
            return queryset.filter(billing_period_start=None)
        try:
            return queryset.filter(billing_period_start=self.value())
        except ValidationError as error:  # an address written by hand
            raise IncorrectLookupParameters from error


class LoadingNowFilter(admin.SimpleListFilter):
    """Files with a running attempt."""

    title = "loading now"
    parameter_name = "loading"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One choice."""
        return [("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[SourceFile]) -> QuerySet[SourceFile]:
        """The files that are loading now."""
        return queryset.filter(RUNNING) if self.value() else queryset


class FailedWithFilter(ErrorCodeFilter):
    """Failed files by their error code: an index holds them."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The files that failed with the chosen code."""
        found = super().queryset(request, queryset)
        return found.filter(status=SourceFile.Status.FAILED) if self.value() else found
