"""Raw rows as JSON, in pages that go on where the one before ended, in the same file versions."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import RawRow
from billing.read import rows_that_fit
from ingestion.export_errors import RowsMissing
from ingestion.exporting.columns import Columns
from ingestion.models import SourceFile
from ingestion.selection import SelectedFile, Selection
from kcx.api import cursors, queries
from kcx.api.downloads import (
    DownloadQuery,
    Downloads,
    PeriodDownloadQuery,
    PeriodReceiptQuery,
    ReceiptQuery,
)
from kcx.api.pagination import PageQuery
from kcx.api.problems import Gone
from kcx.api.selecting import (
    GONE,
    ColumnsQuery,
    NotThere,
    PeriodQuery,
    columns_wanted,
    pin_of,
    pinned,
    selection_of,
)

# A page ends early where its values are this large, and no more is read at a time, but for one row.
MOST_CHARACTERS = 8 * 2**20


class RowSerializer(serializers.Serializer[Any]):
    file = serializers.IntegerField()
    row_number = serializers.IntegerField(help_text="From 1, in the file's order.")
    values = serializers.ListField(
        child=serializers.CharField(allow_null=True), help_text="In the order of `columns`."
    )


class RowPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="The next page; null: none.")
    columns = serializers.ListField(child=serializers.CharField())
    deliveries = serializers.ListField(
        child=serializers.IntegerField(), help_text="Where the rows come from: the same on every page."
    )
    results = RowSerializer(many=True)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind a row: the position of its file in the selection, and its number there."""

    file: int = 0
    row: int = 0


class Rows(Downloads):
    """Adds `rows/` to a resource whose members have raw rows."""

    below = {"rows": ColumnsQuery, "download": DownloadQuery, "receipt": ReceiptQuery}

    @extend_schema(summary="Raw rows", responses=RowPageSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def rows(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """The raw rows, by file and row number. A cursor keeps to its file versions and columns."""
        one = self.get_object()
        wanted = queries.read(request, self.takes())
        page = PageQuery(data=request.query_params.dict())
        page.is_valid(raise_exception=True)
        kind = f"{self.basename} {one.pk}"
        if cursor := page.validated_data.get("cursor"):
            wanted, at = cursors.decode(kind, cursor)
            selection, place = pinned(one, wanted), Place(*at)
        else:
            selection, place = selection_of(one, wanted), Place()
        columns = columns_wanted(selection, wanted)
        found, following = read_page(selection, columns, place, page.validated_data["limit"])
        address = None
        if following:
            text = cursors.encode(kind, [pin_of(selection, wanted), [following.file, following.row]])
            # What the cursor carries is not told beside it: servers refuse long addresses.
            following_query = urlencode({"limit": page.validated_data["limit"], "cursor": text})
            address = f"{request.build_absolute_uri(request.path)}?{following_query}"
        return Response(
            {
                "next": address,
                "columns": columns.names,
                "deliveries": selection.delivery_ids,
                "results": found,
            }
        )


class PeriodRows(Rows):
    """The same of an export, by billing period: what is current, or was `as_of`."""

    below = {"rows": PeriodQuery, "download": PeriodDownloadQuery, "receipt": PeriodReceiptQuery}


def read_page(
    selection: Selection, columns: Columns, place: Place, limit: int
) -> tuple[list[dict[str, Any]], Place | None]:
    """At most `limit` rows behind the place, and the place of the last where more follow.

    Raises Gone (410) where rows were replaced under the reader, NotThere (409) where the table lacks some.
    """
    found: list[dict[str, Any]] = []
    size, touched = 0, []
    missing: RowsMissing | None = None
    while place.file < len(selection.files) and len(found) < limit and size < MOST_CHARACTERS:
        file = selection.files[place.file]
        places = columns.places_in(file)
        room = limit - len(found), MOST_CHARACTERS - size
        rows = rows_that_fit(selection.connection_id, file.id, place.row, *room)
        touched.append(file)
        if missing := not_as_registered(file, place.row, rows):
            break
        for row in rows:
            values = [None if at is None else row.values[at] for at in places]
            size += sum(len(value or "") for value in values)
            found.append({"file": file.id, "row_number": row.row_number, "values": values})
        last = place.row + len(rows)
        place = Place(place.file, last) if last < file.row_count else Place(place.file + 1)
    refuse_replaced(touched)
    if missing:
        raise NotThere(missing)
    return found, place if any(file.row_count for file in selection.files[place.file :]) else None


def not_as_registered(file: SelectedFile, after: int, rows: list[RawRow]) -> RowsMissing | None:
    """What is wrong where these are not the file's next rows; None where they are."""
    numbers = [row.row_number for row in rows]
    last = after + len(numbers)
    ends = last == file.row_count if not rows else last <= file.row_count
    if ends and numbers == list(range(after + 1, last + 1)):
        return None
    sentence = f"Behind row {after:,} of file {file.id} are not the rows that its registry names"
    return RowsMissing(f"{sentence}, {file.row_count:,} in all.")


def refuse_replaced(files: list[SelectedFile]) -> None:
    """Raises Gone (410) where the registry has other rows of a file by now."""
    now = SourceFile.objects.filter(pk__in={file.id for file in files})
    facts = {pk: (rows, digest) for pk, rows, digest in now.values_list("pk", "row_count", "rows_sha256")}
    if any(facts.get(file.id) != (file.row_count, file.rows_sha256) for file in files):
        raise Gone(GONE)
