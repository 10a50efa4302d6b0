"""What a person decides of a connection's exports, and the approval of its plan: recorded."""

from collections.abc import Mapping

from django.db import transaction

from ingestion.access.enabling import enable
from ingestion.deliveries.undecided import tell_undecided
from ingestion.models import ClientConnection, Export
from ingestion.overlaps import overlap_of
from ingestion.queueing import request_discovery
from ingestion.staff_actions import record

ACTIONS = {
    Export.Decision.LOAD: "export: load",
    Export.Decision.IGNORE: "export: do not load",
    Export.Decision.AWAITING: "export: decide later",
}


@transaction.atomic
def decide(export: Export, decision: Export.Decision, person: str) -> None:
    """Say whether an export is loaded. What is loaded of it already stays."""
    locked = Export.objects.select_for_update(no_key=True).get(pk=export.pk)
    before, locked.decision = locked.decision, decision
    locked.save(update_fields=["decision"])
    follow_decision(locked)
    export.decision, export.overlaps = decision, locked.overlaps
    detail = {"export": export.name, "before": before}
    record(person, ACTIONS[decision], connection=export.connection, detail=detail)


def follow_decision(export: Export) -> None:
    """What a decision brings with it, in its transaction: the export's pending deliveries tell of it.

    Of one that is loaded though another holds the same lines, it is noted: no discovery overrules that.
    """
    if export.decision == Export.Decision.LOAD and not export.overlaps:
        export.overlaps = overlap_of(export)
        export.save(update_fields=["overlaps"])
    tell_undecided(Export.objects.filter(pk=export.pk))


@transaction.atomic
def decide_all(connection: ClientConnection, decisions: Mapping[int, Export.Decision], person: str) -> int:
    """Decide the exports of this connection among `decisions` (by id); answers how many that changed."""
    # In the order in which a discovery locks them.
    exports = connection.exports.select_related("connection").order_by("pk")
    changed = [export for export in exports if export.decision != decisions.get(export.pk, export.decision)]
    for export in changed:
        decide(export, decisions[export.pk], person)
    return len(changed)


@transaction.atomic
def approve(connection: ClientConnection, decisions: Mapping[int, Export.Decision], person: str) -> None:
    """Decide the exports, enable the connection and queue a discovery: all of it, or nothing.

    Raises ValidationError where the connection may not be enabled.
    """
    decide_all(connection, decisions, person)
    enable(connection, person)
    request_discovery(connection, person)
