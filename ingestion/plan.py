"""The plan of a connection: what would be loaded, what would not and why, how large and how long."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, Q, Sum

from ingestion.models import ClientConnection, Export, SourceFile
from ingestion.overlaps import bills_the_same

Status = SourceFile.Status

# Bytes of the object per row, where nothing of the export is ingested yet: real files, rounded
# (csv.gz 90 to 130, CSV 811, Parquet 12.5; formats.md, A7).
BYTES_PER_ROW = {".csv.gz": 110, ".csv.zip": 110, ".csv": 810, ".parquet": 13}
# Of one worker; `make bench` tells the figure of a machine.
ROWS_PER_SECOND = 35_000

# What is asked of an export's files, by name.
Figures = Mapping[str, Any]
NOTHING: Figures = defaultdict(int)


@dataclass(frozen=True, slots=True)
class PlannedExport:
    """One export: `files`, `bytes` and the estimates are what waits to be loaded.

    `periods` counts billing periods with such files, `newest` and `oldest` are the first and last as YYYY-MM.
    `not_loaded` is how many registered files are left out, by reason; `export_id` is None for those of none.
    `proposed` is what a person would decide who looks at nothing but the note: the decision, as it is stored.
    """

    export: str
    family: str
    mode: str
    decision: str
    note: str
    periods: int
    newest: str
    oldest: str
    files: int
    bytes: int
    estimated_rows: int
    estimated_seconds: int
    not_loaded: dict[str, int]
    export_id: int | None = None
    proposed: str = ""


def plan(connection: ClientConnection) -> list[PlannedExport]:
    """The exports found under the connection; files that belong to none come last, as `(no export)`.

    Four queries, however many exports there are.
    """
    exports = list(connection.exports.select_related("overlaps"))
    figures = {row["export"]: row for row in _figures(connection)}
    left_out = _left_out(connection)
    twins = _Twins(exports)
    planned = [
        _planned(one, figures.get(one.pk, NOTHING), left_out.get(one.pk, {}), twins.of(one))
        for one in exports
    ]
    if strangers := left_out.get(None):
        planned.append(
            PlannedExport("(no export)", "", "", "", "", 0, "", "", 0, 0, 0, 0, not_loaded=strangers)
        )
    return planned


def _figures(connection: ClientConnection) -> Iterable[Figures]:
    """Of each export's files: those that wait, and what the loaded ones hold."""
    waiting, loaded = Q(status__in=[Status.NEW, Status.FAILED]), Q(status=Status.INGESTED)
    by_ending = {
        f"size{number}": Sum("size", default=0, filter=waiting & Q(key__endswith=ending))
        for number, ending in enumerate(BYTES_PER_ROW)
    }
    return (
        connection.files.exclude(export=None)
        .order_by()
        .values("export")
        .annotate(
            files=Count("pk", filter=waiting),
            bytes=Sum("size", default=0, filter=waiting),
            periods=Count("billing_period_start", distinct=True, filter=waiting),
            newest=Max("billing_period_start", filter=waiting),
            oldest=Min("billing_period_start", filter=waiting),
            loaded_bytes=Sum("size", default=0, filter=loaded),
            loaded_rows=Sum("row_count", default=0, filter=loaded),
            **by_ending,
        )
    )


def _planned(
    export: Export, figures: Figures, left_out: dict[str, int], twin: Export | None
) -> PlannedExport:
    rows = _estimated_rows(figures)
    return PlannedExport(
        export=str(export),
        family=export.family,
        mode=export.mode,
        decision=export.get_decision_display(),
        note=_note(export, twin),
        periods=figures["periods"],
        newest=_month(figures["newest"]),
        oldest=_month(figures["oldest"]),
        files=figures["files"],
        bytes=figures["bytes"],
        estimated_rows=rows,
        estimated_seconds=-(-rows // ROWS_PER_SECOND),
        not_loaded=left_out,
        export_id=export.pk,
        proposed=_proposed(export, twin),
    )


class _Twins:
    """Of each export another one of the same lines that is loaded, or may yet be."""

    def __init__(self, exports: Iterable[Export]) -> None:
        payers = {one.payer_account for one in exports if one.payer_account}
        alive = Export.objects.filter(payer_account__in=payers, connection__purged_at=None)
        alike = alive.exclude(decision=Export.Decision.IGNORE)
        self._alike = list(alike.select_related("connection")) if payers else []

    def of(self, export: Export) -> Export | None:
        if export.overlaps or not export.payer_account:
            return export.overlaps
        return next((other for other in self._alike if bills_the_same(export, other)), None)


def _proposed(export: Export, twin: Export | None) -> str:
    """To load what awaits a decision, unless lines would be counted twice: then a person must choose."""
    awaits = export.decision == Export.Decision.AWAITING
    return Export.Decision.LOAD if awaits and not twin else export.decision


def _note(export: Export, twin: Export | None) -> str:
    if twin and export.decision != Export.Decision.IGNORE:
        stays = "What is current of either stays current."
        return f"Holds the same billing data as {twin}: load one of them. {stays}"
    if export.without_manifests:
        return "No manifests: completeness cannot be known."
    return "" if export.has_manifests or export.key_layout == "generic" else "No manifest yet: it waits."


def _estimated_rows(figures: Figures) -> int:
    """From what the export's ingested files hold per byte; before there are any, from real files."""
    if figures["loaded_bytes"] and figures["loaded_rows"]:
        return int(figures["bytes"] * figures["loaded_rows"] / figures["loaded_bytes"])
    return sum(int(figures[f"size{number}"] / size) for number, size in enumerate(BYTES_PER_ROW.values()))


def _left_out(connection: ClientConnection) -> dict[int | None, dict[str, int]]:
    """By export (None for files of none), then by reason: how many files are left out."""
    skipped = connection.files.filter(status=Status.SKIPPED).order_by("export", "skip_reason")
    counts: dict[int | None, dict[str, int]] = defaultdict(dict)
    for export, reason, count in skipped.values_list("export", "skip_reason").annotate(files=Count("pk")):
        counts[export][SourceFile.SkipReason(reason).label] = count
    return counts


def _month(start: object) -> str:
    return str(start)[:7] if start else ""
