"""Exports that bill the same lines: which of them waits, so that no row is current twice unawares."""

from collections.abc import Collection, Iterable
from datetime import date
from itertools import chain

from django.db import transaction
from django.db.models import Q, QuerySet

from ingestion.layouts.families import Family
from ingestion.models import Delivery, Export, SourceFile
from ingestion.publish import LIVE

LOAD, AWAITING = Export.Decision.LOAD, Export.Decision.AWAITING
# Families that bill the same lines in another shape: loading two of a group counts every line twice.
SAME_LINES = {
    Family.LEGACY_CUR: "cur",
    Family.CUR_2_0: "cur",
    Family.FOCUS_1_0_PREVIEW: "focus",
    Family.FOCUS_1_0: "focus",
    Family.FOCUS_1_2: "focus",
    Family.FOCUS: "focus",
}
Period = date | None


def twins_of(export: Export) -> QuerySet[Export]:
    """Every other export that bills the same account's lines in some shape, whatever was decided of it.

    Of a purged connection none: it holds nothing, and never will again.
    """
    group = SAME_LINES.get(Family(export.family))
    if not (group and export.payer_account):
        return Export.objects.none()
    families = [family for family, name in SAME_LINES.items() if name == group]
    alike = Export.objects.filter(payer_account=export.payer_account, family__in=families)
    return alike.filter(connection__purged_at=None).exclude(pk=export.pk)


def bills_the_same(export: Export, other: Export) -> bool:
    """Is the other one of `twins_of` the export?"""
    group = SAME_LINES.get(Family(export.family))
    same = export.payer_account and export.payer_account == other.payer_account
    return bool(group and same and other.pk != export.pk and SAME_LINES.get(Family(other.family)) == group)


class NewPeriods:
    """Of one discovery: an export's first delivery of a billing period, compared with its twins.

    `entered`: export and period of the deliveries that are known, their manifest read.
    """

    def __init__(self, entered: Iterable[tuple[int, Period]]) -> None:
        self._entered = set(entered)
        self._alone: set[tuple[int, str, str]] = set()

    def compare(self, export: Export, period: Period) -> None:
        """Before a delivery of the period is entered, in the same transaction: see `wait_where_doubled`.

        An export without twins is looked up once: who becomes its twin meanwhile finds its files registered.
        """
        lines = (export.pk, export.family, export.payer_account)
        if (export.pk, period) in self._entered or lines in self._alone:
            return
        if twins_of(export).exists():
            wait_where_doubled(export, [period])
        else:
            self._alone.add(lines)

    def note_entered(self, export: Export, period: Period) -> None:
        """The transaction has ended well."""
        self._entered.add((export.pk, period))


@transaction.atomic
def wait_where_doubled(export: Export, periods: Collection[Period], *, registered: bool = False) -> None:
    """Let the export await a decision where a twin holds the lines of one of these billing periods.

    A twin holds those of its current deliveries, whatever was decided of it; and where it is loaded, those of
    its open ones (with `registered`, those of any file). So who comes second into a period waits, whichever
    was found first: what is current stays. Not so where staff chose to load both, knowing of the overlap.
    """
    group = list(_locked(export))
    fresh = next(one for one in group if one.pk == export.pk)
    others = [one for one in group if one.pk not in _loaded_knowingly(fresh, group)]
    found = _holder(others, periods, registered=registered)
    if found and (fresh.decision == LOAD or (fresh.decision == AWAITING and not fresh.overlaps_id)):
        export.overlaps, export.decision = found, AWAITING
        export.save(update_fields=["overlaps", "decision"])


def overlap_of(export: Export) -> Export | None:
    """The export that holds lines of one of this one's deliveries; None where none does."""
    periods = _live().filter(scope__export=export).values_list("scope__billing_period_start", flat=True)
    return _holder(list(twins_of(export)), set(periods), registered=False)


def _locked(export: Export) -> QuerySet[Export]:
    """The export and its twins. Of two discoveries that come into a period, the second sees the first."""
    twins = Q(pk__in=twins_of(export).order_by().values("pk"))
    group = Export.objects.filter(twins | Q(pk=export.pk)).order_by("pk")
    return group.select_for_update(no_key=True)


def _loaded_knowingly(export: Export, group: Collection[Export]) -> set[int]:
    """The export, and those that staff chose to load with it, though lines are held twice.

    What overlaps another is loaded by their choice only; who chose that of A and B, and of B and C, did so of
    A and C: `overlaps` names one.
    """
    chosen = [{one.pk, one.overlaps_id} for one in group if one.overlaps_id and one.decision == LOAD]
    known: set[int] = {export.pk}
    while more := set(chain(*(pair for pair in chosen if pair & known))) - known:
        known |= more
    return known


def _holder(others: Collection[Export], periods: Collection[Period], *, registered: bool) -> Export | None:
    """The one that was found first of those that hold one of the periods."""
    if not (others and periods):
        return None
    loaded = [one.pk for one in others if one.decision == LOAD]
    current = Q(status=Delivery.Status.CURRENT) | Q(scope__export__in=loaded)
    within = _live().filter(current, scope__export__in=others, scope__billing_period_start__in=periods)
    holders = set(within.order_by().values_list("scope__export", flat=True).distinct())
    if registered:
        files = SourceFile.objects.filter(export__in=loaded, billing_period_start__in=periods)
        holders |= set(files.order_by().values_list("export", flat=True).distinct())
    return min((one for one in others if one.pk in holders), key=lambda one: one.pk, default=None)


def _live() -> QuerySet[Delivery]:
    """Deliveries that count, their manifest read."""
    return Delivery.objects.filter(status__in=LIVE, listed_keys__isnull=False)
