"""Exports, the drift ledger of their columns, and what is held of each billing period."""

from datetime import UTC, date
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ingestion.models import Export, ExportColumn
from kcx.api.queries import IdField
from kcx.api.resources import Resource
from kcx.api.rows import PeriodRows
from kcx.api.scope import columns_of, exports_of
from kcx.dashboard.calendar import Cell, Coverage, calendar


class ExportSerializer(serializers.ModelSerializer[Export]):
    overlaps = serializers.IntegerField(
        source="twin", allow_null=True, help_text="The export that holds the same billing data."
    )

    class Meta:
        model = Export
        fields = [
            *(
                "id",
                "connection",
                "root",
                "name",
                "family",
                "key_layout",
                "mode",
                "decision",
                "has_manifests",
            ),
            *("without_manifests", "payer_account", "overlaps", "first_seen_at"),
        ]


class ExportQuery(serializers.Serializer[Any]):
    connection = IdField()
    decision = serializers.ChoiceField(Export.Decision.choices, required=False)


class Exports(PeriodRows):
    """The recurring exports found under the connections of the token's scope."""

    serializer_class = ExportSerializer
    query = ExportQuery

    def found(self) -> QuerySet[Export]:
        """The exports of the scope; another client's export that holds the same data does not exist."""
        known = exports_of(self.request).filter(pk=OuterRef("overlaps"))
        return exports_of(self.request).annotate(twin=Subquery(known.order_by().values("pk")[:1]))


class ColumnSerializer(serializers.ModelSerializer[ExportColumn]):
    class Meta:
        model = ExportColumn
        fields = ["id", "export", "name", "first_seen_at", "last_seen_at", "first_period", "last_period"]


class ColumnQuery(serializers.Serializer[Any]):
    export = IdField()
    connection = IdField(source="export__connection")
    first_seen_since = serializers.DateTimeField(source="first_seen_at__gte", required=False)


class Drift(Resource):
    """The drift ledger: when each column of an export was first and last delivered."""

    serializer_class = ColumnSerializer
    query = ColumnQuery

    def found(self) -> QuerySet[ExportColumn]:
        """The columns of the scope's exports."""
        return columns_of(self.request)


class PeriodSerializer(serializers.Serializer[Any]):
    billing_period_start = serializers.DateField(source="period", allow_null=True, help_text="Null: of none.")
    coverage = serializers.ChoiceField([one.name for one in Coverage], source="coverage.name")
    detail = serializers.CharField(help_text="In a few words.")


class CoverageSerializer(serializers.ModelSerializer[Export]):
    export = serializers.IntegerField(source="pk")
    periods = serializers.SerializerMethodField()

    class Meta:
        model = Export
        fields = ["export", "connection", "name", "periods"]

    @extend_schema_field(PeriodSerializer(many=True))
    def get_periods(self, export: Export) -> Any:
        """Its billing periods, newest first."""
        return PeriodSerializer(self.context["cells"][export.pk], many=True).data


class CoverageQuery(serializers.Serializer[Any]):
    connection = IdField()


class CoverageOf(Resource):
    """What KCX holds of each billing period of each export; an export's id is its address here too."""

    serializer_class = CoverageSerializer
    query = CoverageQuery

    def found(self) -> QuerySet[Export]:
        """The exports of the scope."""
        return exports_of(self.request)

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """With the cells of all the page's exports, counted at once."""
        exports = args[0] if kwargs.get("many") else args[:1]
        kwargs["context"] = {**self.get_serializer_context(), "cells": cells([one.pk for one in exports])}
        return self.get_serializer_class()(*args, **kwargs)


def cells(export_ids: list[int]) -> dict[int, list[Cell]]:
    """The billing periods each of the exports has, newest first."""
    today: date = timezone.now().astimezone(UTC).date()
    found = calendar(Export.objects.filter(pk__in=export_ids), today, everything=True)
    return {row.export_id: [cell for cell in row.cells if cell] for row in found.rows}
