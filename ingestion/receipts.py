"""Writes a receipt for every load, publishing and purge, each chained to its connection's one before."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import OuterRef, Subquery

from ingestion.models import ClientConnection, Delivery, LoadAttempt, Receipt, ReceiptChain, SourceFile

Kind = Receipt.Kind


def canonical(body: dict[str, Any]) -> str:
    """The one text of `body`: JSON with sorted keys, compact, times in UTC with microseconds."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_text)


def chained(previous_sha256: str, body: str) -> str:
    """The hash, in hex, of a receipt with this text behind the one with that hash."""
    return hashlib.sha256(f"{previous_sha256}\n{body}".encode()).hexdigest()


def as_written(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as they are read back from a receipt."""
    written: dict[str, Any] = json.loads(canonical(facts))
    return written


def body_of(receipt: Receipt) -> dict[str, Any]:
    """What the receipt says; nothing where its text is no JSON object, whose hash then differs too."""
    try:
        body = json.loads(receipt.body)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def file_facts(file: SourceFile) -> dict[str, Any]:
    """What a file's receipt says that is in the registry too, and stays until the next load."""
    layout = file.layout
    return {
        "source_file_id": file.pk,
        "bucket": file.connection.bucket,
        "export_id": file.export_id,
        "billing_period": file.billing_period_start and f"{file.billing_period_start:%Y-%m}",
        "key": file.key,
        "etag": file.etag,
        "size": file.size,
        "last_modified": file.last_modified,
        "first_seen_at": file.first_seen_at,
        "ingested_at": file.ingested_at,
        "object_sha256": file.object_sha256,
        "decoded_bytes": file.decoded_bytes,
        "rows": file.row_count,
        "rows_sha256": file.rows_sha256,
        "layout": layout and {"columns": len(layout.names), "sha256": layout.digest},
    }


def delivery_facts(delivery: Delivery) -> dict[str, Any]:
    """What a delivery's receipt says that stays on the delivery for ever."""
    scope = delivery.scope
    return {
        "delivery_id": delivery.pk,
        "export": scope.export.name,
        "billing_period": scope.billing_period_start and f"{scope.billing_period_start:%Y-%m}",
        "key": scope.key,
        "snapshot_id": delivery.snapshot_id,
        "manifest_key": delivery.manifest_key,
        "manifest_etag": delivery.manifest_etag,
        "delivered_at": delivery.delivered_at,
        "published_at": delivery.published_at,
        "restatement": delivery.restatement,
    }


def write_file_receipt(file: SourceFile, reading: dict[str, Any]) -> Receipt:
    """The receipt of a load that succeeded; `reading` tells how it was read.

    The last statements of the load's transaction.
    """
    receipt = Receipt(connection_id=file.connection_id, kind=Kind.FILE, source_file=file)
    return _append(receipt, {**file_facts(file), **reading, "attempts": tries_of(file)})


def write_delivery_receipt(delivery: Delivery) -> Receipt:
    """The receipt of a delivery that became current. The last statements of the publishing transaction."""
    connection_id = delivery.scope.export.connection_id
    receipt = Receipt(connection_id=connection_id, kind=Kind.DELIVERY, delivery=delivery)
    return _append(receipt, {**delivery_facts(delivery), "files": _files(delivery)})


def write_purge_receipt(connection: ClientConnection, facts: dict[str, Any]) -> Receipt:
    """The receipt of a purge: `facts`, and what is about to be erased. In the purge's transaction."""
    loaded = SourceFile.objects.filter(connection=connection, status=SourceFile.Status.INGESTED)
    files = loaded.order_by("pk").annotate(receipt=last_of_file("sequence"))
    told = files.values("id", "key", "etag", "row_count", "rows_sha256", "receipt")
    where = {"bucket": connection.bucket, "prefix": connection.prefix, "purged_at": connection.purged_at}
    receipt = Receipt(connection_id=connection.pk, kind=Kind.PURGE)
    return _append(receipt, {**facts, **where, **erased(map(dict, told.iterator()))})


def erased(files: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What a purge's receipt says of the loaded files: how many, their rows, one digest of all.

    Of each file, in the order of the ids: `id`, `key`, `etag`, `row_count`, `rows_sha256` and `receipt`, the
    number of its last one. `files_sha256` is the SHA-256, in hex, of a line of canonical JSON for each.
    """
    digest, count, rows = hashlib.sha256(), 0, 0
    for file in files:
        digest.update(f"{canonical(file)}\n".encode())
        count, rows = count + 1, rows + file["row_count"]
    return {"files": count, "rows": rows, "files_sha256": digest.hexdigest()}


def oddities_of(receipt: Receipt) -> list[str]:
    """What a file's receipt tells of oddities that are no faults, as sentences."""
    facts = body_of(receipt)
    counted = (("blank_lines", "blank lines"), ("lone_returns", "lines that a carriage return alone ends"))
    told = [f"{n:,} {what}" for name, what in counted if isinstance(n := facts.get(name), int) and n]
    names = facts.get("repeated_names")
    repeated = names if isinstance(names, list) else []
    return told + [f"more than one column is named {name!r}" for name in repeated]


def last_of_file(field: str) -> Subquery:
    """A field of the last receipt of each source file of a query."""
    return Subquery(
        Receipt.objects.filter(source_file=OuterRef("pk")).order_by("-sequence").values(field)[:1]
    )


def _append(receipt: Receipt, facts: dict[str, Any]) -> Receipt:
    head = _locked_head(receipt.connection_id)
    receipt.sequence = head.sequence + 1
    receipt.created_at = clock()
    receipt.previous_sha256 = head.sha256
    receipt.body = canonical(
        {
            **facts,
            "connection_id": receipt.connection_id,
            "kind": receipt.kind,
            "sequence": receipt.sequence,
            "created_at": receipt.created_at,
        }
    )
    receipt.sha256 = chained(receipt.previous_sha256, receipt.body)
    receipt.save(force_insert=True)
    head.sequence, head.sha256 = receipt.sequence, receipt.sha256
    head.save(update_fields=["sequence", "sha256"])
    return receipt


def _locked_head(connection_id: int) -> ReceiptChain:
    """The head, locked until the commit, which follows at once.

    Whoever holds it asks for no other lock that somebody may hold while he waits for this one: files,
    scopes, exports, layouts and views are locked before it, and a purge has all files when it takes the rows.
    Discovery and claims never come here. Loads of one connection wait for each other's commit only.
    """
    ReceiptChain.objects.bulk_create([ReceiptChain(connection_id=connection_id)], ignore_conflicts=True)
    return ReceiptChain.objects.select_for_update(no_key=True).get(connection=connection_id)


def tries_of(file: SourceFile) -> list[dict[str, Any]]:
    """Every try so far, the one that succeeded included, numbered from 1, as a receipt tells them."""
    tried = LoadAttempt.objects.filter(source_file=file).order_by("pk")
    return [
        {"number": number, **attempt}
        for number, attempt in enumerate(tried.values("id", "outcome", "started_at", "ended_at"), 1)
    ]


def _files(delivery: Delivery) -> list[dict[str, Any]]:
    files = delivery.files.order_by("pk").annotate(receipt=last_of_file("sequence"))
    told = ("id", "key", "etag", "size", "row_count", "rows_sha256", "receipt")
    return [dict(file) for file in files.values(*told)]


def clock() -> datetime:
    """PostgreSQL's time: the hosts that load may disagree."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def _as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
