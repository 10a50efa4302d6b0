"""Puts connections, exports, files and deliveries into the registry, where no bucket is needed."""

import itertools
from datetime import UTC, date, datetime, timedelta

from django.utils import timezone

from billing.layouts import store_layout
from ingestion.models import (
    Client,
    ClientConnection,
    Delivery,
    DeliveryFile,
    DeliveryScope,
    Export,
    LoadAttempt,
    SourceFile,
)

_numbers = itertools.count(1)
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
MARCH = date(2026, 3, 1)


def a_connection(**fields: object) -> ClientConnection:
    """An enabled connection of a client of its own."""
    number = next(_numbers)
    values: dict[str, object] = {
        "client": Client.objects.create(name=f"Registered {number}"),
        "name": f"connection {number:03} of tests",
        "bucket": f"bucket-{number}",
        "prefix": "exports/",
        "role_arn": f"arn:aws:iam::{300_000_000_000 + number}:role/kcx-read",
        "enabled": True,
    }
    return ClientConnection.objects.create(**(values | fields))


def an_export(connection: ClientConnection, **fields: object) -> Export:
    """An export that is to be loaded."""
    values: dict[str, object] = {
        "root": "exports/",
        "name": f"export {next(_numbers)}",
        "key_layout": "generic",
        "decision": Export.Decision.LOAD,
    }
    return Export.objects.create(connection=connection, **(values | fields))


def a_file(export: Export, **fields: object) -> SourceFile:
    """A registered version that waits for its load."""
    number = next(_numbers)
    values: dict[str, object] = {
        "key": f"exports/{number:05}.csv.gz",
        "etag": f'"{number:032x}"',
        "size": 100,
        "last_modified": NOON,
        "storage_class": "STANDARD",
        "billing_period_start": MARCH,
        "billing_period_end": date(2026, 4, 1),
    }
    return SourceFile.objects.create(connection=export.connection, export=export, **(values | fields))


def failed(export: Export, **fields: object) -> SourceFile:
    """A version that failed for good."""
    values = {"status": "FAILED", "error_code": "corrupt_gzip", "error_message": "Cut short.", "failures": 1}
    return a_file(export, **(values | fields))


def ingested(export: Export, **fields: object) -> SourceFile:
    """A version whose status says that its (no) rows are there."""
    file = a_file(export)
    become_ingested(file, **fields)
    return file


def become_ingested(file: SourceFile, **fields: object) -> None:
    """What step 7 writes after a load of no rows; and then `fields`."""
    file.status, file.ingested_at, file.row_count, file.rows_sha256 = "INGESTED", timezone.now(), 0, "0" * 64
    file.layout = store_layout(["a"], ["string"])
    for name, value in fields.items():
        setattr(file, name, value)
    file.save()


def running(file: SourceFile) -> LoadAttempt:
    """An attempt that has not ended."""
    return LoadAttempt.objects.create(source_file=file, actor="test", worker="host:1")


def a_scope(export: Export) -> DeliveryScope:
    """March of the export."""
    return DeliveryScope.objects.create(export=export, billing_period_start=MARCH)


def a_delivery(
    scope: DeliveryScope, *files: SourceFile, minute: int = 0, snapshot: str = "s", **fields: object
) -> Delivery:
    """What AWS delivered at noon plus some minutes."""
    at = NOON + timedelta(minutes=minute)
    delivery = Delivery.objects.create(scope=scope, snapshot_id=snapshot, delivered_at=at, **fields)
    for file in files:
        DeliveryFile.objects.create(delivery=delivery, source_file=file, last_modified=at)
    return delivery
