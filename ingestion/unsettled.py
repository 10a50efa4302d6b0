"""What settling says of an open delivery, and of which it would say something new."""

from collections import defaultdict

from django.db.models import Count, Q, QuerySet

from ingestion.faults_of_parts import STATE_OF_FILE, fault_of
from ingestion.models import Delivery, DeliveryFile, DeliveryScope, SourceFile

Status = Delivery.Status
NEW = Q(source_file__status=SourceFile.Status.NEW)
FAILED = Q(source_file__status=SourceFile.Status.FAILED)
# Those that fault_of() tells of.
BLOCKED = FAILED & Q(source_file__next_retry_at=None) | Q(source_file__status=SourceFile.Status.SKIPPED)
READ = (
    *("status", "reason", "manifest_key", "delivered_at", "snapshot_id"),
    *("scope__key", "scope__export__has_manifests"),
)


def order(delivery: Delivery) -> tuple[object, ...]:
    """Deliveries of a scope follow each other by AWS's time, then by snapshot id."""
    return (delivery.delivered_at, delivery.snapshot_id)


def outlived(scope: DeliveryScope, newer: list[Delivery]) -> str:
    """Why a delivery can never be published any more, whatever becomes of its files; '' where it can."""
    if scope.key and scope.export.has_manifests:
        return "Its export has manifests, which say what is complete."
    if any(other.status == Status.CURRENT for other in newer):
        return "A newer delivery was current already."
    return ""


def status_while_open(scope: DeliveryScope, newer: list[Delivery], against: str) -> Status:
    """Incomplete where something is against it. Of a key a newer version tells how the key fares.

    This one may come back all the same.
    """
    return Status.INCOMPLETE if against and not (scope.key and newer) else Status.PENDING


def unsettled(open_ones: QuerySet[Delivery]) -> list[int]:
    """Those of open deliveries, in their order, that neither wait for a load nor are told as they are.

    Asked in plain steps: in one, where PostgreSQL's statistics are of before a large discovery, it may join
    all open deliveries with all files for each delivery anew.
    """
    status = dict(open_ones.values_list("pk", "status"))
    held = DeliveryFile.objects.filter(delivery__in=list(status)).values_list("delivery")
    files = held.annotate(
        new=Count("pk", filter=NEW), failed=Count("pk", filter=FAILED), blocked=Count("pk", filter=BLOCKED)
    )
    left_out, with_faults = set(), []
    for pk, new, failed, blocked in files:
        if new or (failed and not blocked and status[pk] == Status.PENDING):
            left_out.add(pk)
        elif blocked:
            with_faults.append(pk)
    left_out |= _told_as_they_are(with_faults)
    return [pk for pk in status if pk not in left_out]


def _told_as_they_are(with_faults: list[int]) -> set[int]:
    """Those that have the reason and the status already that settling gives them.

    Nothing is remembered of earlier looks: whatever has changed since (a file, a newer delivery, a manifest
    of the export) is seen here. Where several files have faults, the reason may be any of them.
    """
    if not with_faults:
        return set()
    faults = _faults(with_faults)
    all_of_them = Delivery.objects.filter(pk__in=with_faults).select_related("scope__export").only(*READ)
    told = [delivery for delivery in all_of_them if delivery.reason in faults[delivery.pk]]
    rivals = _newest_and_current({delivery.scope_id for delivery in told})
    as_they_are = set()
    for delivery in told:
        # These two say as much as all newer ones would. What a manifest lists is not asked for newer ones.
        beside = [] if delivery.manifest_key else rivals[delivery.scope_id]
        newer = [other for other in beside if order(other) > order(delivery)]
        status = status_while_open(delivery.scope, newer, delivery.reason)
        if delivery.status == status and not outlived(delivery.scope, newer):
            as_they_are.add(delivery.pk)
    return as_they_are


def _faults(deliveries: list[int]) -> dict[int, set[str]]:
    faults: dict[int, set[str]] = defaultdict(set)
    read = ["delivery", "source_file__key", *(f"source_file__{name}" for name in STATE_OF_FILE)]
    held = DeliveryFile.objects.filter(BLOCKED, delivery__in=deliveries).select_related("source_file")
    for one in held.only(*read).iterator():
        faults[one.delivery_id].add(fault_of(one.source_file))
    return faults


def _newest_and_current(scopes: set[int]) -> dict[int, list[Delivery]]:
    """Of each scope the newest delivery that is open or current, and the current one."""
    found: dict[int, list[Delivery]] = defaultdict(list)
    live = Delivery.objects.filter(scope__in=scopes).exclude(status=Status.SUPERSEDED)
    for delivery in live.only("scope", "status", "delivered_at", "snapshot_id").iterator():
        of_scope = [*found[delivery.scope_id], delivery]
        current = [other for other in of_scope if other.status == Status.CURRENT]
        found[delivery.scope_id] = [max(of_scope, key=order), *current]
    return found
