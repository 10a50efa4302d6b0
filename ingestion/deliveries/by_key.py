"""Deliveries without a manifest, one per version of a key: the key is the scope."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from ingestion.models import ClientConnection, Delivery, DeliveryFile, DeliveryScope, SourceFile
from ingestion.pipeline.list_files import RemoteFile

Versions = Mapping[tuple[str, str], SourceFile]


def observe_keys(connection: ClientConnection, listed: Sequence[RemoteFile], files: Versions) -> None:
    """A delivery for every listed version that was not listed as it is now before. In a transaction.

    A key that returns to an earlier version is a new delivery of the same source file.
    """
    seen = _seen(connection, [file.key for file in listed])
    for file in listed:
        if (file.key, file.etag, file.last_modified) not in seen:
            _deliver(file, files[file.key, file.etag])


def _seen(connection: ClientConnection, keys: list[str]) -> set[tuple[str, str, datetime]]:
    deliveries = Delivery.objects.filter(scope__export__connection=connection, scope__key__in=keys)
    return set(deliveries.values_list("scope__key", "snapshot_id", "delivered_at"))


def _deliver(listed: RemoteFile, file: SourceFile) -> None:
    scope, _ = DeliveryScope.objects.get_or_create(
        export=file.export,
        key=listed.key,
        defaults={"billing_period_start": file.billing_period_start},
    )
    delivery, new = Delivery.objects.get_or_create(
        scope=scope, snapshot_id=listed.etag, delivered_at=listed.last_modified
    )
    if new:
        DeliveryFile.objects.create(delivery=delivery, source_file=file, last_modified=listed.last_modified)
