"""Deliveries of create-new exports that staff declared to have no manifests: the newest snapshot folder."""

from collections import defaultdict
from datetime import date, datetime

from django.db import transaction

from ingestion.deliveries.entering import locked_scope
from ingestion.layouts.keys import Mode, classify
from ingestion.models import ClientConnection, Delivery, DeliveryFile, Export, SourceFile
from ingestion.pipeline.update_registry import skip_older, want
from ingestion.publish import overtake

UNKNOWABLE = "No manifests: completeness cannot be known."
Folders = dict[tuple[date, str], list[SourceFile]]


def observe_folders(connection: ClientConnection) -> None:
    """For each billing period of such an export a delivery of the folder written last.

    A file that arrives later in the same folder makes another delivery of it, with that file.
    """
    for export in connection.exports.filter(without_manifests=True, mode=Mode.CREATE_NEW.value):
        newest: dict[date, tuple[str, list[SourceFile]]] = {}
        for (period, snapshot), files in _folders(export).items():
            if period not in newest or _written(files) > _written(newest[period][1]):
                newest[period] = snapshot, files
        for period, (snapshot, files) in newest.items():
            _deliver(export, period, snapshot, files)


def _folders(export: Export) -> Folders:
    folders: Folders = defaultdict(list)
    gone = [SourceFile.SkipReason.GONE, SourceFile.SkipReason.REPLACED]
    for file in export.files.exclude(skip_reason__in=gone).exclude(billing_period_start=None):
        if file.billing_period_start and (snapshot := classify(file.key).snapshot_id):
            folders[file.billing_period_start, snapshot].append(file)
    return folders


def _written(files: list[SourceFile]) -> datetime:
    return max(file.last_modified for file in files)


@transaction.atomic
def _deliver(export: Export, period: date, snapshot: str, files: list[SourceFile]) -> None:
    scope = locked_scope(export, period)
    delivery, new = Delivery.objects.get_or_create(
        scope=scope, snapshot_id=snapshot, delivered_at=_written(files), defaults={"reason": UNKNOWABLE}
    )
    if not new:
        return
    held = [
        DeliveryFile(delivery=delivery, source_file=file, last_modified=file.last_modified) for file in files
    ]
    DeliveryFile.objects.bulk_create(held)
    overtake(delivery)
    want(file.pk for file in files if file.skip_reason != SourceFile.SkipReason.ARCHIVED)
    others = export.files.filter(billing_period_start=period).exclude(pk__in=[file.pk for file in files])
    skip_older(others)
