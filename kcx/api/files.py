"""The file registry, and the tries to load its files."""

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ingestion.events.facts import told_outside
from ingestion.models import LoadAttempt, SourceFile
from kcx.api.queries import IdField, PeriodField
from kcx.api.resources import Resource
from kcx.api.rows import Rows
from kcx.api.scope import attempts_of, files_of

FIELDS: tuple[str, ...] = (
    *("id", "connection", "export", "key", "etag", "size", "last_modified", "storage_class"),
    *("billing_period_start", "billing_period_end", "status", "skip_reason", "first_seen_at", "changed_at"),
    *("ingested_at", "rows", "decoded_bytes", "object_sha256", "rows_sha256", "layout_sha256"),
    *("error_code", "error_message", "next_action", "failures", "next_retry_at"),
)


class ErrorSerializer(serializers.Serializer[Any]):
    error_message = serializers.SerializerMethodField(help_text="Of a fault of KCX's own: no details.")

    def get_error_message(self, one: SourceFile | LoadAttempt) -> str:
        """As in an event."""
        return told_outside(one.error_code, one.error_message)


class FileSerializer(ErrorSerializer, serializers.ModelSerializer[SourceFile]):
    rows = serializers.IntegerField(source="row_count", allow_null=True)
    layout_sha256 = serializers.CharField(source="layout_digest", allow_null=True)

    class Meta:
        model = SourceFile
        fields = FIELDS


class NamedColumnSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    type = serializers.CharField(help_text="The Arrow type; string for CSV.")


class WholeFileSerializer(FileSerializer):
    columns = serializers.SerializerMethodField(help_text="In the file's order; none before it is ingested.")

    class Meta(FileSerializer.Meta):
        fields = (*FIELDS, "columns")

    @extend_schema_field(NamedColumnSerializer(many=True))
    def get_columns(self, file: SourceFile) -> Any:
        """The columns of its layout."""
        if file.layout is None:
            return []
        return [
            {"name": name, "type": kind}
            for name, kind in zip(file.layout.names, file.layout.types, strict=True)
        ]


class FileQuery(serializers.Serializer[Any]):
    connection = IdField()
    export = IdField()
    delivery = IdField(source="deliveries")
    period = PeriodField(source="billing_period_start")
    status = serializers.ChoiceField(SourceFile.Status.choices, required=False)
    changed_since = serializers.DateTimeField(
        source="changed_at__gte", required=False, help_text="First seen, or told otherwise of, since."
    )


class Files(Rows):
    """The file registry: every version of every object KCX saw, and what became of it."""

    query = FileQuery

    def get_serializer_class(self) -> type[FileSerializer]:
        """A member names its columns."""
        return FileSerializer if self.action == "list" else WholeFileSerializer

    def found(self) -> QuerySet[SourceFile]:
        """The files of the scope; a list reads no layouts, which are wide."""
        files = files_of(self.request).annotate(layout_digest=F("layout__digest"))
        return files if self.action == "list" else files.select_related("layout")


class AttemptSerializer(ErrorSerializer, serializers.ModelSerializer[LoadAttempt]):
    file = serializers.IntegerField(source="source_file_id")

    class Meta:
        model = LoadAttempt
        fields = [
            *("id", "file", "is_reload", "outcome", "started_at", "ended_at", "rows", "bytes_read"),
            *("error_code", "error_message", "next_action", "error_row", "error_column"),
        ]


class AttemptQuery(serializers.Serializer[Any]):
    file = IdField(source="source_file")
    connection = IdField(source="source_file__connection")
    outcome = serializers.ChoiceField(LoadAttempt.Outcome.choices, required=False)
    started_since = serializers.DateTimeField(source="started_at__gte", required=False)


class Attempts(Resource):
    """The tries to load files, each with what came of it."""

    serializer_class = AttemptSerializer
    query = AttemptQuery

    def found(self) -> QuerySet[LoadAttempt]:
        """The attempts of the scope."""
        return attempts_of(self.request).defer("evidence")
