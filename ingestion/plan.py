"""The plan of a connection: what would be loaded, what would not and why, how large and how long."""

from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from ingestion.exports import twins_of
from ingestion.models import ClientConnection, Export, SourceFile

Status = SourceFile.Status

# Bytes of the object per row, where nothing of the export is ingested yet: real files, rounded
# (csv.gz 90 to 130, CSV 811, Parquet 12.5; formats.md, A7).
BYTES_PER_ROW = {".csv.gz": 110, ".csv.zip": 110, ".csv": 810, ".parquet": 13}
# Of one worker; `make bench` tells the figure of a machine.
ROWS_PER_SECOND = 35_000


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
    """The exports found under the connection; files that belong to none come last, as `(no export)`."""
    planned = [_planned(export) for export in connection.exports.select_related("overlaps")]
    strangers = _left_out(connection.files.filter(export=None))
    if strangers:
        planned.append(
            PlannedExport("(no export)", "", "", "", "", 0, "", "", 0, 0, 0, 0, not_loaded=strangers)
        )
    return planned


def _planned(export: Export) -> PlannedExport:
    waiting = export.files.filter(status__in=[Status.NEW, Status.FAILED])
    figures = waiting.aggregate(
        files=Count("pk"),
        bytes=Sum("size", default=0),
        periods=Count("billing_period_start", distinct=True),
        newest=Max("billing_period_start"),
        oldest=Min("billing_period_start"),
    )
    rows = _estimated_rows(export, waiting)
    twin = _twin(export)
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
        not_loaded=_left_out(export.files.all()),
        export_id=export.pk,
        proposed=_proposed(export, twin),
    )


def _twin(export: Export) -> Export | None:
    """Another export of the same lines that is loaded, or may yet be."""
    return export.overlaps or twins_of(export).exclude(decision=Export.Decision.IGNORE).first()


def _proposed(export: Export, twin: Export | None) -> str:
    """To load what awaits a decision, unless lines would be counted twice: then a person must choose."""
    awaits = export.decision == Export.Decision.AWAITING
    return Export.Decision.LOAD if awaits and not twin else export.decision


def _note(export: Export, twin: Export | None) -> str:
    if twin and export.decision != Export.Decision.IGNORE:
        return f"Holds the same billing data as {twin}: load one of them."
    if export.without_manifests:
        return "No manifests: completeness cannot be known."
    return "" if export.has_manifests or export.key_layout == "generic" else "No manifest yet: it waits."


def _estimated_rows(export: Export, waiting: QuerySet[SourceFile]) -> int:
    """From what the export's ingested files hold per byte; before there are any, from real files."""
    loaded = export.files.filter(status=Status.INGESTED).aggregate(size=Sum("size"), rows=Sum("row_count"))
    if loaded["size"] and loaded["rows"]:
        size: int = waiting.aggregate(size=Sum("size", default=0))["size"]
        return int(size * loaded["rows"] / loaded["size"])
    by_ending = {ending: Sum("size", default=0, filter=Q(key__endswith=ending)) for ending in BYTES_PER_ROW}
    sizes = waiting.aggregate(**{f"size{number}": total for number, total in enumerate(by_ending.values())})
    return sum(int(sizes[f"size{number}"] / per_row) for number, per_row in enumerate(BYTES_PER_ROW.values()))


def _left_out(files: "QuerySet[SourceFile]") -> dict[str, int]:
    skipped = files.filter(status=Status.SKIPPED).values_list("skip_reason")
    counts = skipped.annotate(files=Count("pk")).order_by("skip_reason")
    return {SourceFile.SkipReason(reason).label: count for reason, count in counts}


def _month(start: object) -> str:
    return str(start)[:7] if start else ""
