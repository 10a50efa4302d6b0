"""Compares a file's stored rows and registry row with their digests and the file's last receipt."""

from typing import Any

import psycopg
from django.db import InternalError, ProgrammingError, transaction

from billing.layouts import layout_digest
from billing.read import count_rows, rows_digest
from ingestion.models import Receipt, SourceFile
from ingestion.receipts import as_written, body_of, chained, file_facts, tries_of
from ingestion.verification.report import Report

UNREADABLE = (psycopg.ProgrammingError, psycopg.InternalError, ProgrammingError, InternalError)

# Facts that a purge takes from the registry; the receipts keep them.
ERASED = {"ingested_at", "object_sha256", "decoded_bytes", "rows", "rows_sha256", "layout"}
# Facts that receipts did not hold from the beginning.
NOT_IN_OLDER = {"export_id", "billing_period"}


def compare_rows(file: SourceFile, report: Report) -> None:
    """The rows, and the layout, against the digests in the registry."""
    try:
        with transaction.atomic():
            _compare_rows(file, report)
    except UNREADABLE as error:
        report.differs("rows_unreadable", f"PostgreSQL cannot read the rows: {str(error).strip()}")
    if file.layout:
        digest = layout_digest(file.layout.names, file.layout.types)
        report.expect("layout", "Digest of the column names and types", file.layout.digest, digest)


def compare_receipt(file: SourceFile, report: Report) -> None:
    """The registry against the last receipt, and the receipt against its own hash."""
    receipt = file.receipts.order_by("-sequence").first()
    if file.connection.purged_at or file.skip_reason == SourceFile.SkipReason.PURGED:
        _compare_purged(file, receipt, report)
        return
    if file.status != SourceFile.Status.INGESTED:
        if receipt:
            report.differs(
                "registry", f"File {file.pk} has receipt {receipt.sequence}, but is {file.status}."
            )
        return
    if receipt is None:
        report.differs("no_receipt", f"File {file.pk} is ingested but has no receipt.")
        return
    expect_hash(receipt, report)
    expect_facts(receipt, _facts(file, receipt), report)


def _compare_purged(file: SourceFile, receipt: Receipt | None, report: Report) -> None:
    """It is skipped for ever, by a purge behind its last receipt."""
    state = file.skip_reason or file.status
    report.expect("registry", f"State of file {file.pk}", SourceFile.SkipReason.PURGED.value, state)
    before = receipt.sequence if receipt else 0
    if not file.connection.receipts.filter(kind="PURGE", sequence__gt=before).exists():
        report.differs("no_receipt", f"File {file.pk} is purged, but no later receipt is of a purge.")
    if receipt:
        expect_hash(receipt, report)
        stays = {name: value for name, value in _facts(file, receipt).items() if name not in ERASED}
        expect_facts(receipt, stays, report)


def _facts(file: SourceFile, receipt: Receipt) -> dict[str, Any]:
    """What the receipt should say, of the tries as many as it tells: those that came later are not its."""
    told = body_of(receipt).get("attempts")
    return {**file_facts(file), "attempts": tries_of(file)[: len(told) if isinstance(told, list) else None]}


def _compare_rows(file: SourceFile, report: Report) -> None:
    report.rows = count_rows(file.connection_id, file.pk)
    if file.status != SourceFile.Status.INGESTED:
        report.expect("rows_of_no_load", f"Rows of a file that is {file.status}", 0, report.rows)
        return
    report.expect("row_count", "Rows stored", file.row_count, report.rows)
    found = rows_digest(file.connection_id, file.pk)
    report.expect("rows_sha256", "Digest of the rows stored", file.rows_sha256, found)


def expect_hash(receipt: Receipt, report: Report) -> None:
    """The receipt's hash is that of its text and of the hash before."""
    found = chained(receipt.previous_sha256, receipt.body)
    report.expect("receipt_hash", f"Hash of receipt {receipt.sequence}", receipt.sha256, found)


def expect_facts(receipt: Receipt, facts: dict[str, Any], report: Report) -> None:
    """The receipt's text says what the database says now."""
    body = body_of(receipt)
    for name, value in as_written(facts).items():
        if name in NOT_IN_OLDER and name not in body:
            continue
        what = f"{name} of file {receipt.source_file_id}"
        if receipt.delivery_id:
            what = f"{name} of delivery {receipt.delivery_id}"
        report.expect("registry", f"{what}, by receipt {receipt.sequence}", body.get(name), value)
