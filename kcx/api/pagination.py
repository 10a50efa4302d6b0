"""Pages in the order of the ids: a page costs the same however far in it is, and new ids come last."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from kcx.api import cursors


class PageQuery(serializers.Serializer[Any]):
    """What every list takes."""

    limit = serializers.IntegerField(min_value=1, max_value=1000, default=100, help_text="Results on a page.")
    # Of raw rows it carries the columns: no longer than they were in the first address, and never refused.
    cursor = serializers.CharField(
        required=False, max_length=100_000, help_text="From `next` of a page before."
    )


class KeysetPagination(BasePagination):
    """`{"next": address or null, "results": [...]}`; the view's `basename` names its cursors."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page; one more is read to know whether another follows."""
        query = PageQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        limit, cursor = query.validated_data["limit"], query.validated_data.get("cursor")
        rows: QuerySet[Any] = queryset.order_by("pk")
        if cursor is not None:
            rows = rows.filter(pk__gt=cursors.decode(view.basename, cursor))
        found = list(rows[: limit + 1])
        self.next: str | None = None
        if len(found) > limit:
            position = cursors.encode(view.basename, found[limit - 1].pk)
            self.next = replace_query_param(request.build_absolute_uri(), "cursor", position)
        return found[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        """The page."""
        return Response({"next": self.next, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """As OpenAPI tells it."""
        following = {"type": ["string", "null"], "format": "uri", "description": "The next page; null: none."}
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {"next": following, "results": schema},
        }
