"""Deliveries that wait for nothing but a decision on their export say so."""

from django.db.models import QuerySet

from ingestion.models import Delivery, Export

WAITS = {
    Export.Decision.AWAITING: "Its export awaits a decision: nothing of it is loaded until that is “Load”.",
    Export.Decision.IGNORE: "Staff decided not to load its export.",
}


def tell_undecided(exports: QuerySet[Export]) -> None:
    """Bring the reasons of these exports' pending deliveries up to date with the decisions.

    One that has a reason of another kind keeps it.
    """
    pending = Delivery.objects.filter(status=Delivery.Status.PENDING, reason__in=["", *WAITS.values()])
    for decision in Export.Decision:
        reason = WAITS.get(decision, "")
        decided = pending.filter(scope__export__in=exports.filter(decision=decision))
        decided.exclude(reason=reason).update(reason=reason)
