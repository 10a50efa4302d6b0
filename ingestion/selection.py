"""Selections: the loaded file versions that make up a file, a delivery or a billing period."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, Q, QuerySet

from billing.models import ColumnLayout
from ingestion.export_errors import NotExportable
from ingestion.models import Delivery, Export, SourceFile

Status = SourceFile.Status
NamesAndTypes = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SelectedFile:
    """One loaded file version: what the registry says of it, and its columns."""

    id: int
    key: str
    etag: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    row_count: int
    rows_sha256: str
    object_sha256: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Loaded file versions of one connection, by key and id, and the deliveries they were taken from.

    `what` names the selection for people. `as_of`, of a billing period: `of_period` later answers the same
    for this moment.
    """

    connection_id: int
    files: tuple[SelectedFile, ...]
    delivery_ids: tuple[int, ...]
    what: str
    as_of: datetime | None = None

    @property
    def row_count(self) -> int:
        """The rows of all its files."""
        return sum(file.row_count for file in self.files)

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of which files these are and of the digests of their rows."""
        facts = "".join(f"{file.id} {file.row_count} {file.rows_sha256}\n" for file in self.files)
        return hashlib.sha256(facts.encode()).hexdigest()


def of_file(source_file_id: int) -> Selection:
    """The one file. Raises NotExportable where it is unknown or its rows are not there."""
    file = SourceFile.objects.filter(pk=source_file_id).first()
    if file is None:
        raise NotExportable(f"There is no file {source_file_id}.")
    return Selection(file.connection_id, _selected([file]), (), f"file {file.pk}")


def of_delivery(delivery_id: int) -> Selection:
    """The delivery's files. Raises NotExportable where it is unknown, or not all of them are loaded."""
    found = _complete(Delivery.objects.filter(pk=delivery_id).select_related("scope__export"))
    if not found:
        raise NotExportable(f"There is no delivery {delivery_id}.")
    connection_id = found[0].scope.export.connection_id
    return Selection(connection_id, _files_of(found), (delivery_id,), f"delivery {delivery_id}")


def of_period(export_id: int, period_start: date, as_of: datetime | None = None) -> Selection:
    """What is current of one billing period of an export, or was at the moment `as_of` (with a time zone).

    Raises NotExportable where nothing is or was, or where its rows are no longer there.
    """
    export = Export.objects.filter(pk=export_id).first()
    if export is None:
        raise NotExportable(f"There is no export {export_id}.")
    what = f"export {export.pk} ({export}), {period_start:%Y-%m}"
    what += f", as of {as_of.isoformat()}" if as_of else ""
    found = _complete(
        Delivery.objects.filter(_shown(as_of), scope__export=export, scope__billing_period_start=period_start)
    )
    if not found:
        raise NotExportable(f"No delivery {'was' if as_of else 'is'} current: {what}.")
    ids = tuple(delivery.pk for delivery in found)
    # A published delivery ends as another of its period is published, at the same moment, or by a purge.
    last = max(delivery.published_at for delivery in found if delivery.published_at)
    return Selection(export.connection_id, _files_of(found), ids, what, last)


def _shown(as_of: datetime | None) -> Q:
    if as_of is None:
        return Q(status=Delivery.Status.CURRENT)
    until = Q(superseded_at=None) | Q(superseded_at__gt=as_of)
    return until & Q(published_at__lte=as_of)


def _complete(deliveries: QuerySet[Delivery]) -> list[Delivery]:
    """Of each, every listed file must have been seen; whether each is loaded, `_selected` asks."""
    found: list[Delivery] = []
    light = deliveries.defer("manifest_columns", "restatement")
    for delivery in light.annotate(held=Count("files")).order_by("pk"):
        if delivery.listed_keys is None:
            raise NotExportable(f"Delivery {delivery.pk} is not complete: its manifest was not read.")
        missing = len(delivery.listed_keys) - delivery.held
        if missing > 0:
            raise NotExportable(
                f"Delivery {delivery.pk} is not complete: {missing:,} of its files are missing."
            )
        found.append(delivery)
    return found


def _files_of(deliveries: list[Delivery]) -> tuple[SelectedFile, ...]:
    return _selected(SourceFile.objects.filter(deliveries__in=deliveries).distinct())


def _selected(files: Iterable[SourceFile]) -> tuple[SelectedFile, ...]:
    in_order = sorted(files, key=lambda file: (file.key, file.pk))
    # A layout is wide, and many files share one.
    layouts = ColumnLayout.objects.in_bulk({file.layout_id for file in in_order if file.layout_id})
    columns = {pk: (tuple(layout.names), tuple(layout.types)) for pk, layout in layouts.items()}
    return tuple(_loaded(file, columns) for file in in_order)


def _loaded(file: SourceFile, columns: Mapping[int, NamesAndTypes]) -> SelectedFile:
    if file.status != Status.INGESTED or file.layout_id is None or file.row_count is None:
        raise NotExportable(f"The rows of file {file.pk} are not there: its status is {file.status}.")
    names, types = columns[file.layout_id]
    return SelectedFile(
        id=file.pk,
        key=file.key,
        etag=file.etag,
        names=names,
        types=types,
        row_count=file.row_count,
        rows_sha256=file.rows_sha256,
        object_sha256=file.object_sha256,
    )
