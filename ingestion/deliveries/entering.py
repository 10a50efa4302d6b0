"""Delivery rows: entered once, linked to their files, and what they mean for the files of older ones."""

from collections.abc import Iterable, Mapping
from datetime import date

from django.utils import timezone

from ingestion.deliveries.manifest_objects import ListedManifest
from ingestion.models import Delivery, DeliveryFile, DeliveryScope, Export, SourceFile
from ingestion.pipeline.identify_new import NewFiles
from ingestion.pipeline.list_files import RemoteFile
from ingestion.pipeline.update_registry import skip_older, want
from ingestion.publish import LIVE, OPEN, overtake
from ingestion.unsettled import order

Status = Delivery.Status
# The snapshot id of a delivery whose manifest could not be read yet: before all that AWS writes.
UNREAD = ""
NOT_LOADED = "Older than the current delivery when it was found: not loaded."


def enter(
    listed: ListedManifest,
    export: Export,
    snapshot_id: str,
    keys: Iterable[str] | None,
    columns: Iterable[str] | None = None,
) -> Delivery:
    """The delivery of this version of a manifest, made if new; its scope is locked. In a transaction.

    One that was entered as UNREAD takes this snapshot id, unless another manifest told of the same delivery.
    """
    scope = locked_scope(export, listed.facts.period_start)
    contents = {
        "listed_keys": None if keys is None else list(keys),
        "manifest_columns": None if columns is None else list(columns),
    }
    same_time = Delivery.objects.filter(scope=scope, delivered_at=listed.file.last_modified)
    if not same_time.filter(snapshot_id=snapshot_id).exists():
        unread = same_time.filter(
            snapshot_id=UNREAD, manifest_key=listed.file.key, manifest_etag=listed.file.etag, status__in=OPEN
        )
        unread.update(snapshot_id=snapshot_id, **contents, status=Status.PENDING, reason="")
    delivery, _ = Delivery.objects.get_or_create(
        scope=scope,
        delivered_at=listed.file.last_modified,
        snapshot_id=snapshot_id,
        defaults={
            "manifest_key": listed.file.key,
            "manifest_etag": listed.file.etag,
            **contents,
        },
    )
    return delivery


def locked_scope(export: Export, period: date | None) -> DeliveryScope:
    """The scope of a billing period, made if new, and locked: nothing is published meanwhile."""
    scope, _ = DeliveryScope.objects.get_or_create(export=export, billing_period_start=period, key="")
    return DeliveryScope.objects.select_for_update(no_key=True).get(pk=scope.pk)


def hold_back(delivery: Delivery, reason: str) -> None:
    """INCOMPLETE, unless it was published or overtaken meanwhile. In a transaction."""
    open_one = Delivery.objects.filter(pk=delivery.pk, status__in=OPEN)
    changed = open_one.exclude(status=Status.INCOMPLETE, reason=reason)
    changed.update(status=Status.INCOMPLETE, reason=reason)


def never_load(delivery: Delivery) -> None:
    """SUPERSEDED and unpublished: it was there, and was not loaded. In a transaction."""
    open_one = Delivery.objects.filter(pk=delivery.pk, status__in=OPEN)
    open_one.update(status=Status.SUPERSEDED, superseded_at=timezone.now(), reason=NOT_LOADED)


def overtake_older(delivery: Delivery) -> bool:
    """Supersede the open deliveries before this one; False where it is not the newest itself."""
    others = Delivery.objects.filter(scope=delivery.scope_id, status__in=LIVE).exclude(pk=delivery.pk)
    if any(order(other) > order(delivery) for other in others):
        return False
    overtake(delivery)
    return True


def link(
    delivery: Delivery,
    present: Mapping[str, RemoteFile],
    files: Mapping[tuple[str, str], SourceFile],
) -> None:
    """Say which source files the delivery holds, as they were listed just now. In a transaction."""
    held = [
        DeliveryFile(delivery=delivery, source_file=files[key, file.etag], last_modified=file.last_modified)
        for key, file in present.items()
    ]
    DeliveryFile.objects.bulk_create(held, ignore_conflicts=True)


def want_files(delivery: Delivery, present: Mapping[str, RemoteFile], new_files: NewFiles) -> None:
    """Link the files, as they were listed just now; those that can be read are wanted. In a transaction."""
    files = new_files.register(list(present.values()))
    link(delivery, present, files)
    want(files[file.key, file.etag].pk for file in present.values() if not file.is_archived)


def leave_out_older(delivery: Delivery) -> None:
    """Files of the period that no delivery which counts holds, and that are not newer, are not loaded."""
    counted = DeliveryFile.objects.filter(delivery__scope=delivery.scope_id, delivery__status__in=LIVE)
    older = SourceFile.objects.filter(
        export=delivery.scope.export_id,
        billing_period_start=delivery.scope.billing_period_start,
        last_modified__lte=delivery.delivered_at,
    )
    skip_older(older.exclude(pk__in=counted.values("source_file")))
