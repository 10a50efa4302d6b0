"""A client of whom there is one of everything the API tells."""

from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from ingestion.models import ClientConnection, Delivery, Export, ExportColumn, LoadAttempt, SourceFile
from ingestion.receipts import write_delivery_receipt, write_file_receipt
from tests.ingestion.registered import (
    MARCH,
    NOON,
    a_connection,
    a_delivery,
    a_scope,
    an_export,
    failed,
    ingested,
)

RESTATEMENT = {
    "files_added": [],
    "files_changed": ["part-1.csv.gz"],
    "files_gone": [],
    "rows_before": 3,
    "rows_after": 4,
    "columns_came": ["tag"],
    "columns_went": [],
}


@dataclass
class World:
    """What belongs to one client; `ids` by the names the API's addresses have."""

    connection: ClientConnection
    export: Export
    file: SourceFile
    former: Delivery
    current: Delivery
    ids: dict[str, set[int]] = field(default_factory=dict)


@transaction.atomic
def a_world() -> World:
    connection = a_connection()
    export = an_export(connection)
    file, broken = ingested(export), failed(export)
    scope, now = a_scope(export), timezone.now()
    times = {"published_at": now - timedelta(hours=2), "superseded_at": now}
    listed = {"listed_keys": [file.key]}
    former = a_delivery(scope, file, status="SUPERSEDED", snapshot="former", **listed, **times)
    against = {"against_delivery": former.pk, **RESTATEMENT}
    current = a_delivery(
        scope, file, minute=1, status="CURRENT", published_at=now, restatement=against, **listed
    )
    column = ExportColumn.objects.create(
        export=export,
        name="tag",
        first_seen_at=NOON,
        last_seen_at=NOON,
        first_period=MARCH,
        last_period=MARCH,
    )
    told = {
        "outcome": "FAILED",
        "ended_at": now,
        "error_code": "corrupt_gzip",
        "evidence": {"excerpt": "xx-00"},
    }
    attempt = LoadAttempt.objects.create(source_file=broken, actor="a person", worker="host:1", **told)
    receipts = {write_file_receipt(file, {}).pk, write_delivery_receipt(current).pk}
    world = World(connection, export, file, former, current)
    world.ids = {
        "clients": {connection.client_id},
        "connections": {connection.pk},
        "exports": {export.pk},
        "coverage": {export.pk},
        "drift": {column.pk},
        "deliveries": {former.pk, current.pk},
        "restatements": {current.pk},
        "receipts": receipts,
        "files": {file.pk, broken.pk},
        "attempts": {attempt.pk},
    }
    return world
