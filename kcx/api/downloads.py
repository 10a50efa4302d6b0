"""Raw rows as one stream: CSV, Parquet, Arrow or NDJSON, and the receipt that goes with it."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.export_errors import NotAsTyped, RowsMissing, SelectionChanged
from ingestion.exporting.compression import Compression
from ingestion.exporting.export import ExportStream, facts
from ingestion.exporting.noted import note_export
from ingestion.exporting.writers import Format
from kcx.api import cursors, queries
from kcx.api.resources import Resource
from kcx.api.selecting import (
    ColumnsQuery,
    NotThere,
    PeriodQuery,
    columns_wanted,
    pin_of,
    pinned,
    selection_of,
)

MEDIA = {
    Format.CSV: "text/csv; charset=utf-8; header=present",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.ARROW: "application/vnd.apache.arrow.stream",
    Format.NDJSON: "application/x-ndjson",
}
PIN = "receipt"
# Proxies refuse an answer with long headers; the receipt names all.
MOST_TOLD = 50


class AnyForm(BaseContentNegotiation):
    """The parameter `format` says the form; the Accept header is not asked."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """The first."""
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """For errors: problem JSON."""
        return renderers[0], renderers[0].media_type


class NoChunks(APIException):
    """Over HTTP/1.0 a download that is cut looks like one that has ended."""

    status_code = HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    default_code = "http_version_not_supported"
    default_detail = (
        "A download is sent in chunks, by which a cut one is told from a whole one, and HTTP/1.0 has none."
        " Ask by HTTP/1.1; behind nginx, set proxy_http_version 1.1."
    )


class FormatQuery(serializers.Serializer[Any]):
    format = serializers.ChoiceField([one.value for one in Format], default=Format.CSV.value)


class DownloadQuery(FormatQuery, ColumnsQuery):
    pass


class PeriodDownloadQuery(FormatQuery, PeriodQuery):
    pass


class ReceiptQuery(ColumnsQuery):
    pin = serializers.CharField(
        required=False, max_length=100_000, help_text="From a download's Link header: of that one."
    )


class PeriodReceiptQuery(ReceiptQuery, PeriodQuery):
    pass


class SelectedFileSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    key = serializers.CharField()
    etag = serializers.CharField()
    rows = serializers.IntegerField()
    rows_sha256 = serializers.CharField()
    object_sha256 = serializers.CharField(allow_blank=True)


class SelectionSerializer(serializers.Serializer[Any]):
    what = serializers.CharField()
    connection_id = serializers.IntegerField()
    delivery_ids = serializers.ListField(child=serializers.IntegerField())
    files = SelectedFileSerializer(many=True)
    rows = serializers.IntegerField()
    columns = serializers.ListField(child=serializers.CharField())


BYTES = OpenApiResponse(OpenApiTypes.BINARY, description="The rows, as the parameter `format` says.")
STREAMS = {(200, media.partition(";")[0]): BYTES for media in MEDIA.values()}


class Downloads(Resource):
    """Adds `download/` and its `receipt/` to a resource whose members have raw rows."""

    # The parameters of the addresses below a member.
    below: ClassVar[dict[str, type[serializers.Serializer[Any]]]]

    def takes(self) -> type[serializers.Serializer[Any]]:
        """As `below` says."""
        return self.below.get(self.action) or super().takes()

    @extend_schema(summary="Download raw rows", responses=STREAMS, filters=False)
    @action(detail=True, pagination_class=None, content_negotiation_class=AnyForm)
    def download(self, request: Request, *_args: Any, **_kwargs: Any) -> StreamingHttpResponse:
        """All raw rows as one stream, of one moment. A stream that ends early is cut, never ended.

        HEAD answers the same headers, and reads no rows.
        """
        if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
            raise NoChunks
        one = self.get_object()
        wanted = queries.read(request, self.takes())
        selection = selection_of(one, wanted)
        names = columns_wanted(selection, wanted).names if wanted.get("columns") else None
        as_format = Format(wanted["format"])
        compression = accepted(request, as_format)
        export = ExportStream(selection, as_format, names, compression)
        stream = () if request.method == "HEAD" else Begun(export)
        if stream:
            note_export(export, str(request.user), "download by the API", token=str(request.auth))
        response = StreamingHttpResponse(stream, content_type=MEDIA[as_format])
        name = f"{self.basename}-{one.pk}{'-' + wanted['period'][:7] if 'period' in wanted else ''}"
        response["Content-Disposition"] = f'attachment; filename="{name}.{as_format}"'
        if compression is not Compression.NONE:
            response["Content-Encoding"] = compression.value
        patch_vary_headers(response, ["Accept-Encoding"])
        response["KCX-Rows"] = str(selection.row_count)
        if len(selection.delivery_ids) <= MOST_TOLD:
            response["KCX-Deliveries"] = ",".join(map(str, selection.delivery_ids))
        pin = cursors.encode(f"{PIN} {self.basename} {one.pk}", pin_of(selection, wanted))
        address = request.build_absolute_uri(request.path.replace("/download/", "/receipt/"))
        response["Link"] = f'<{address}?pin={pin}>; rel="describedby"'
        return response

    @extend_schema(summary="The receipt of a download", responses=SelectionSerializer, filters=False)
    @action(detail=True, pagination_class=None)
    def receipt(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        """Which file versions a download holds, with their rows and digests."""
        one = self.get_object()
        wanted = queries.read(request, self.takes())
        if pin := wanted.get("pin"):
            wanted = cursors.decode(f"{PIN} {self.basename} {one.pk}", pin)
            selection = pinned(one, wanted)
        else:
            selection = selection_of(one, wanted)
        return Response(facts(selection, columns_wanted(selection, wanted)))


class Begun(Iterator[bytes]):
    """A stream whose first bytes are here: what fails before them is an answer of its own, NotThere (409)."""

    def __init__(self, stream: ExportStream) -> None:
        self._stream = stream
        try:
            self._first: bytes | None = next(stream, b"")
        except (SelectionChanged, NotAsTyped, RowsMissing) as error:
            raise NotThere(error) from error

    def __next__(self) -> bytes:
        first, self._first = self._first, None
        return next(self._stream) if first is None else first

    def close(self) -> None:
        """End the export, and its session of the database; Django does so with the answer."""
        self._stream.close()


def accepted(request: Request, as_format: Format) -> Compression:
    """The compression the Accept-Encoding header allows: zstd before gzip. Parquet is compressed itself."""
    if as_format is Format.PARQUET:
        return Compression.NONE
    weights = {}
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = weight.strip().replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return next(
        (one for one in (Compression.ZSTD, Compression.GZIP) if weights.get(one.value)), Compression.NONE
    )
