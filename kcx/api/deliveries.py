"""Deliveries, what each changed against the one before, and receipts."""

from typing import Any

from django.db.models import Q, QuerySet
from rest_framework import serializers

from ingestion.models import Delivery, Receipt
from kcx.api.queries import IdField, PeriodField
from kcx.api.resources import Resource
from kcx.api.rows import Rows
from kcx.api.scope import deliveries_of, receipts_of


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    export = serializers.IntegerField(source="scope.export_id")
    billing_period_start = serializers.DateField(source="scope.billing_period_start", allow_null=True)
    key = serializers.CharField(
        source="scope.key", help_text="Of the one file, where files come by themselves."
    )

    class Meta:
        model = Delivery
        fields = [
            *("id", "export", "billing_period_start", "key", "snapshot_id", "status", "reason"),
            *(
                "manifest_key",
                "manifest_etag",
                "delivered_at",
                "published_at",
                "superseded_at",
                "first_seen_at",
            ),
        ]


class DeliveryQuery(serializers.Serializer[Any]):
    export = IdField(source="scope__export")
    connection = IdField(source="scope__export__connection")
    period = PeriodField(source="scope__billing_period_start")
    status = serializers.ChoiceField(Delivery.Status.choices, required=False)
    changed_since = serializers.DateTimeField(
        required=False, help_text="First seen, published or superseded since."
    )


class Deliveries(Rows):
    """The refreshes of billing periods that AWS delivered. `CURRENT` is what KCX shows now."""

    serializer_class = DeliverySerializer
    query = DeliveryQuery

    def found(self) -> QuerySet[Delivery]:
        """The deliveries of the scope."""
        return (
            deliveries_of(self.request)
            .select_related("scope")
            .defer("listed_keys", "manifest_columns", "restatement")
        )

    def narrowed(self, found: QuerySet[Delivery], wanted: dict[str, Any]) -> QuerySet[Delivery]:
        """Those that were asked for; each of a delivery's times may be its last change."""
        if since := wanted.pop("changed_since", None):
            found = found.filter(
                Q(first_seen_at__gte=since) | Q(published_at__gte=since) | Q(superseded_at__gte=since)
            )
        return super().narrowed(found, wanted)

    def never_changes(self, one: Delivery) -> bool:
        """A superseded delivery is never shown again: what comes back comes as a new one."""
        return one.status == Delivery.Status.SUPERSEDED


class RestatementSerializer(serializers.Serializer[Any]):
    delivery = serializers.IntegerField(source="pk")
    against_delivery = serializers.IntegerField(source="restatement.against_delivery")
    export = serializers.IntegerField(source="scope.export_id")
    billing_period_start = serializers.DateField(source="scope.billing_period_start", allow_null=True)
    published_at = serializers.DateTimeField()
    files_added = serializers.ListField(child=serializers.CharField(), source="restatement.files_added")
    files_changed = serializers.ListField(child=serializers.CharField(), source="restatement.files_changed")
    files_gone = serializers.ListField(child=serializers.CharField(), source="restatement.files_gone")
    rows_before = serializers.IntegerField(source="restatement.rows_before")
    rows_after = serializers.IntegerField(source="restatement.rows_after")
    columns_came = serializers.ListField(child=serializers.CharField(), source="restatement.columns_came")
    columns_went = serializers.ListField(child=serializers.CharField(), source="restatement.columns_went")


class RestatementQuery(serializers.Serializer[Any]):
    export = IdField(source="scope__export")
    connection = IdField(source="scope__export__connection")
    period = PeriodField(source="scope__billing_period_start")
    published_since = serializers.DateTimeField(source="published_at__gte", required=False)


class Restatements(Resource):
    """What each delivery changed against the one that was current before, by the delivery's id."""

    serializer_class = RestatementSerializer
    query = RestatementQuery

    def found(self) -> QuerySet[Delivery]:
        """The deliveries of the scope that followed another."""
        return deliveries_of(self.request).filter(restatement__isnull=False).select_related("scope")

    def never_changes(self, one: Delivery) -> bool:
        """It was written once, as the delivery was published."""
        return True


class ReceiptSerializer(serializers.ModelSerializer[Receipt]):
    file = serializers.IntegerField(source="source_file_id", allow_null=True)
    body = serializers.CharField(help_text="JSON, byte for byte as it was hashed.")

    class Meta:
        model = Receipt
        fields = [
            *("id", "connection", "sequence", "kind", "file", "delivery", "created_at"),
            *("body", "previous_sha256", "sha256"),
        ]


class ReceiptQuery(serializers.Serializer[Any]):
    connection = IdField()
    kind = serializers.ChoiceField(Receipt.Kind.choices, required=False)
    file = IdField(source="source_file")
    delivery = IdField()


class Receipts(Resource):
    """Receipts of loads, publishings, a purge. sha256 is that of previous_sha256, a line feed and body."""

    serializer_class = ReceiptSerializer
    query = ReceiptQuery

    def found(self) -> QuerySet[Receipt]:
        """The receipts of the scope."""
        return receipts_of(self.request)

    def never_changes(self, one: Receipt) -> bool:
        """Never: a trigger sees to it."""
        return True
