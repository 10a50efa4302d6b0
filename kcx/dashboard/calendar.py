"""The coverage calendar: exports x billing periods, and what KCX holds of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum

from django.db.models import Count, Min, Q, QuerySet

from ingestion.figures import count_text
from ingestion.models import Delivery, Export, SourceFile
from kcx.dashboard import links

SHOWN_MONTHS = 18
MOST_MONTHS = 240
# Periods that are still to come; a key may name any year.
SHOWN_AHEAD = 2
FileStatus = SourceFile.Status


class Coverage(Enum):
    """What is held of a billing period: (words, tone)."""

    COMPLETE = ("Complete", "good")
    RESTATED = ("Restated", "good")
    PARTIAL = ("Partial", "warn")
    FAILED = ("Failed", "bad")
    MISSING = ("Missing", "bad")
    NOT_LOADED = ("Not loaded", "idle")
    NOT_YET = ("Not yet", "idle")

    def __init__(self, words: str, tone: str) -> None:
        self.words, self.tone = words, tone


@dataclass(frozen=True, slots=True)
class Found:
    """What is registered of one billing period of an export: files by status, and deliveries.

    `published` counts deliveries that were ever current; `scopes` what they are current for (1, or keys).
    """

    files: int = 0
    new: int = 0
    failed: int = 0
    current: int = 0
    open: int = 0
    published: int = 0
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: `detail` in a few words; `link` opens its files, or the export's where there are none."""

    period: date | None
    coverage: Coverage
    detail: str
    link: str


@dataclass(frozen=True, slots=True)
class CalendarRow:
    """One export, its cells in the calendar's order; None where the export is not to have that period."""

    export_id: int
    export: str
    connection: str
    cells: list[Cell | None]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Newest period first; a None period holds what belongs to none. `hidden`: older periods not shown."""

    periods: list[date | None]
    rows: list[CalendarRow]
    hidden: int


def calendar(exports: QuerySet[Export], today: date, *, everything: bool = False) -> Calendar:
    """Of these exports; the newest periods only, or all."""
    found = _found(exports)
    this_month = today.replace(day=1)
    periods = _periods({period for _, period in found if period}, this_month)
    shown = _shown(periods, this_month, MOST_MONTHS if everything else SHOWN_MONTHS)
    columns: list[date | None] = [*shown, *([None] if any(period is None for _, period in found) else [])]
    rows = [
        CalendarRow(
            export.pk, str(export), export.connection.name, _cells(export, columns, found, this_month)
        )
        for export in exports.select_related("connection").order_by("connection__name", "root", "name")
    ]
    return Calendar(columns, rows, len(periods) - len(shown))


def _periods(known: set[date], this_month: date) -> list[date]:
    """Those, and the months between the first of them and this one, newest first."""
    earliest = this_month.replace(year=this_month.year - MOST_MONTHS // 12)
    within = [period for period in known if period >= earliest]
    return sorted(known.union(_months(min(within), this_month) if within else []), reverse=True)


def _shown(periods: list[date], this_month: date, most: int) -> list[date]:
    ahead = [period for period in periods if period > this_month]
    return ahead[-SHOWN_AHEAD:] + periods[len(ahead) :][:most]


Key = tuple[int, date | None]


def _found(exports: QuerySet[Export]) -> dict[Key, Found]:
    files = SourceFile.objects.filter(export__in=exports).order_by()
    counted = files.values_list("export", "billing_period_start").annotate(
        every=Count("pk"),
        new=Count("pk", filter=Q(status=FileStatus.NEW)),
        failed=Count("pk", filter=Q(status=FileStatus.FAILED)),
    )
    held = {(export, period): (every, new, failed) for export, period, every, new, failed in counted}
    delivered = _deliveries(exports)
    found = {}
    for key in held.keys() | delivered.keys():
        files_of, new, failed = held.get(key, (0, 0, 0))
        found[key] = Found(files_of, new, failed, *delivered.get(key, (0, 0, 0, False)))
    return found


def _deliveries(exports: QuerySet[Export]) -> dict[Key, tuple[int, int, int, bool]]:
    status = Delivery.Status
    counted = (
        Delivery.objects.filter(scope__export__in=exports)
        .order_by()
        .values_list("scope__export", "scope__billing_period_start")
        .annotate(
            current=Count("pk", filter=Q(status=status.CURRENT)),
            open=Count("pk", filter=Q(status__in=[status.PENDING, status.INCOMPLETE])),
            published=Count("pk", filter=Q(published_at__isnull=False)),
            key=Min("scope__key"),
        )
    )
    return {
        (export, period): (current, still_open, published, bool(key))
        for export, period, current, still_open, published, key in counted
    }


def _cells(
    export: Export, columns: list[date | None], found: dict[Key, Found], this_month: date
) -> list[Cell | None]:
    own = [period for export_id, period in found if export_id == export.pk and period]
    first = min(own, default=None)
    cells: list[Cell | None] = []
    for period in columns:
        held = found.get((export.pk, period))
        wanted = export.decision == Export.Decision.LOAD
        if held is not None:
            coverage, detail = _judged(held, wanted=wanted)
            cells.append(Cell(period, coverage, detail, links.cell(export.pk, period)))
        elif period and first and wanted and period > first:
            gap = Coverage.NOT_YET if period >= this_month else Coverage.MISSING
            cells.append(Cell(period, gap, "no delivery", links.export_page(export.pk)))
        else:
            cells.append(None)
    return cells


def _judged(found: Found, *, wanted: bool) -> tuple[Coverage, str]:
    files = f"{count_text(found.files)} {'file' if found.files == 1 else 'files'}"
    if not wanted:
        return Coverage.NOT_LOADED, files
    if found.failed and (found.open or found.by_key or not found.current):
        return Coverage.FAILED, f"{count_text(found.failed)} of {files}"
    if found.open or found.new or not found.published:
        return _unfinished(found, files)
    restated = found.published - found.current
    if restated > 0:
        return Coverage.RESTATED, f"{count_text(restated)} times"
    return Coverage.COMPLETE, files


def _unfinished(found: Found, files: str) -> tuple[Coverage, str]:
    if found.current:
        return Coverage.PARTIAL, "newer one open"
    if found.new:
        return Coverage.PARTIAL, f"{count_text(found.new)} of {files} wait"
    if found.open:
        return Coverage.PARTIAL, "not whole"
    return Coverage.NOT_LOADED, files


def _months(first: date, last: date) -> list[date]:
    """Every month from first to last, newest first."""

    def backwards() -> Iterator[date]:
        index = last.year * 12 + last.month - 1
        while index >= first.year * 12 + first.month - 1:
            yield date(index // 12, index % 12 + 1, 1)
            index -= 1

    return list(backwards())
