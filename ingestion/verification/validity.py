"""How long a delivery was current, by the receipts that came after its own."""

from bisect import bisect_right

from ingestion.models import ClientConnection, Delivery, DeliveryScope, Receipt
from ingestion.receipts import as_written, body_of
from ingestion.verification.report import Report

End = tuple[int, object]


class Ends:
    """What ended the deliveries of a connection: of each receipt its sequence and the moment it tells.

    Those of one scope are kept until another is asked for: ask scope by scope.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        purges = connection.receipts.filter(kind="PURGE")
        self._purges: list[End] = [(one.sequence, body_of(one).get("purged_at")) for one in purges]
        self._scope: int | None = None
        self._of_scope: list[End] = []

    def after(self, sequence: int, scope: DeliveryScope) -> End | None:
        """The first behind this receipt; None where what it published is current."""
        if scope.pk != self._scope:
            self._scope, self._of_scope = (
                scope.pk,
                sorted([*self._purges, *self._published(scope)], key=_first),
            )
        behind = bisect_right(self._of_scope, sequence, key=_first)
        return self._of_scope[behind] if behind < len(self._of_scope) else None

    def _published(self, scope: DeliveryScope) -> list[End]:
        """In the scope, or in that of a key's whole billing period.

        Asked by scopes' ids alone: with an OR over their columns, or with the connection's id where the
        statistics are old, PostgreSQL read all receipts of the connection for each delivery.
        """
        scopes = [scope.pk]
        if scope.key:
            period = {
                "export": scope.export_id,
                "billing_period_start": scope.billing_period_start,
                "key": "",
            }
            scopes += DeliveryScope.objects.filter(**period).values_list("pk", flat=True)
        receipts = Receipt.objects.filter(delivery__scope__in=scopes, kind="DELIVERY").order_by()
        told = receipts.values_list("connection", "sequence", "delivery__published_at")
        return [(sequence, at) for connection, sequence, at in told if connection == self._connection.pk]


def compare_validity(receipt: Receipt, delivery: Delivery, ends: Ends, report: Report) -> None:
    """Current until the next is published, of its scope or of a key's whole billing period, or a purge."""
    end = ends.after(receipt.sequence, delivery.scope)
    status = Delivery.Status.SUPERSEDED if end else Delivery.Status.CURRENT
    expected = as_written({"status": status.value, "superseded_at": end and end[1]})
    found = as_written({"status": delivery.status, "superseded_at": delivery.superseded_at})
    for name, value in expected.items():
        report.expect("registry", f"{name} of delivery {delivery.pk}", value, found[name])


def _first(end: End) -> int:
    return end[0]
