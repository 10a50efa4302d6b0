"""The coverage calendar: exports x billing periods, and what KCX holds of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum

from django.db.models import QuerySet

from ingestion.figures import count_text
from ingestion.models import Export
from kcx.dashboard import links
from kcx.dashboard.periods import Found, Key, found_of

SHOWN_MONTHS = 18
MOST_MONTHS = 240
# Periods that are still to come; a key may name any year.
SHOWN_AHEAD = 2


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
    chosen = list(exports.select_related("connection").order_by("connection__name", "root", "name"))
    found = found_of([export.pk for export in chosen])
    this_month = today.replace(day=1)
    periods = _periods({period for _, period in found if period}, this_month)
    shown = _shown(periods, this_month, MOST_MONTHS if everything else SHOWN_MONTHS)
    columns: list[date | None] = [*shown, *([None] if any(period is None for _, period in found) else [])]
    rows = [
        CalendarRow(
            export.pk, str(export), export.connection.name, _cells(export, columns, found, this_month)
        )
        for export in chosen
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


def _cells(
    export: Export, columns: list[date | None], found: dict[Key, Found], this_month: date
) -> list[Cell | None]:
    own = [period for export_id, period in found if export_id == export.pk and period]
    first = min(own, default=None)
    cells: list[Cell | None] = []
    for period in columns:
        held = found.get((export.pk, period))
        wanted = export.decision == Export.Decision.LOAD and not export.connection.purged_at
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
    if not wanted and not found.current:
        return Coverage.NOT_LOADED, _files(found.registered)
    if not wanted and (found.open or found.new):
        return Coverage.PARTIAL, "newer one not loaded"
    if wanted and found.failed and (found.open or found.by_key or not found.current):
        return Coverage.FAILED, f"{count_text(found.failed)} of {_files(found.files)}"
    if found.open or found.new or not found.published:
        return _unfinished(found)
    return _published(found)


def _published(found: Found) -> tuple[Coverage, str]:
    if found.formats > 1:  # an export has one: what it had before is still shown beside it
        return Coverage.PARTIAL, f"in {found.formats} formats"
    restated = found.published - found.current
    if restated > 0:
        return Coverage.RESTATED, "once" if restated == 1 else f"{count_text(restated)} times"
    return Coverage.COMPLETE, _files(found.files)


def _unfinished(found: Found) -> tuple[Coverage, str]:
    if found.current:
        return Coverage.PARTIAL, "newer one open"
    if found.new:
        wait = "waits" if found.new == 1 else "wait"
        return Coverage.PARTIAL, f"{count_text(found.new)} of {_files(found.files)} {wait}"
    if found.open:
        return Coverage.PARTIAL, "not whole"
    return Coverage.NOT_LOADED, _files(found.registered)


def _files(count: int) -> str:
    return f"{count_text(count)} {'file' if count == 1 else 'files'}"


def _months(first: date, last: date) -> list[date]:
    """Every month from first to last, newest first."""

    def backwards() -> Iterator[date]:
        index = last.year * 12 + last.month - 1
        while index >= first.year * 12 + first.month - 1:
            yield date(index // 12, index % 12 + 1, 1)
            index -= 1

    return list(backwards())
