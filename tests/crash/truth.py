"""What must be true at any instant, and what once all is settled; every fault found is a sentence."""

import json
from collections.abc import Iterator

from django.db import connection, transaction

from billing.read import rows_digest
from ingestion.models import Delivery, LoadAttempt, SourceFile
from tests.crash.delivered import Expected, Rows

Outcome = LoadAttempt.Outcome


@transaction.atomic
def half_visible(connection_id: int, legitimate: list[Expected]) -> list[str]:
    """What is shown must be one whole delivery of each export: the last one published, or a newer one.

    In one snapshot: a load that commits between two statements is no fault.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    return list(_half_visible(connection_id, legitimate))


def _half_visible(connection_id: int, legitimate: list[Expected]) -> Iterator[str]:
    for export in {one.export for one in legitimate}:
        shown = _shown_counts(connection_id, export)
        wholes = [[len(part) for part in one.parts] for one in legitimate if one.export == export]
        if shown and shown not in wholes:
            yield f"half visible: {export} shows files of {shown} rows, which is none of {wholes}"
    for file in SourceFile.objects.filter(connection=connection_id).exclude(status="INGESTED"):
        if stored := _count(connection_id, file.pk):
            yield f"half visible: file {file.pk} is {file.status} and has {stored} rows"


def unsettled(connection_id: int, newest: Expected, loads: int = 1) -> Iterator[str]:
    """After recovery: the newest delivery is shown, whole, once, byte for byte; attempts tell the truth.

    `loads`: how often each of its files was to be loaded.
    """
    of_export = Delivery.objects.filter(
        scope__export__connection=connection_id, scope__export__name=newest.export
    )
    current = of_export.filter(status="CURRENT").first()
    if current is None:
        yield f"lost: nothing of {newest.export} is shown"
        return
    files = list(current.files.order_by("key"))
    if [file.row_count for file in files] != [len(part) for part in newest.parts]:
        yield f"lost or doubled: {current} has {[file.row_count for file in files]} rows a file"
        return
    for file, rows in zip(files, newest.parts, strict=True):
        stored = _rows(connection_id, file.pk)
        if stored != rows:
            kind = "lost" if len(stored) < len(rows) else "doubled" if len(stored) > len(rows) else "changed"
            yield f"{kind}: file {file.pk} has {len(stored)} rows, its source {len(rows)}"
        if rows_digest(connection_id, file.pk) != file.rows_sha256:
            yield f"changed: the digest of file {file.pk} is not that of its rows"
        yield from _false_story(file, loads)


def miscounted(connection_id: int) -> Iterator[str]:
    """At the end: as many rows are stored, of whichever file, as are registered."""
    total, registered = _totals(connection_id)
    if total != registered:
        yield f"lost or doubled: {total} rows stored, {registered} registered"


def _false_story(file: SourceFile, loads: int) -> Iterator[str]:
    attempts = list(file.attempts.order_by("id"))
    outcomes = [attempt.outcome for attempt in attempts]
    told = outcomes.count(Outcome.SUCCEEDED) == loads and outcomes[-1] == Outcome.SUCCEEDED
    if not told or Outcome.RUNNING in outcomes:
        yield f"false story: the attempts on file {file.pk} ended {outcomes}"
    for receipt in file.receipts.all():
        told_by = [one["outcome"] for one in json.loads(receipt.body)["attempts"]]
        if Outcome.RUNNING in told_by:
            yield f"false story: receipt {receipt.sequence} tells of attempts that ended {told_by}"
    for attempt in attempts:
        if attempt.outcome == Outcome.SUCCEEDED and attempt.rows != file.row_count:
            yield f"false story: attempt {attempt.pk} tells {attempt.rows} rows of {file.row_count}"
        if attempt.outcome == Outcome.FAILED and attempt.error_code == "internal_error":
            yield f"false story: attempt {attempt.pk}: {attempt.error_message}"


def _shown_counts(connection_id: int, export: str) -> list[int]:
    return _column(
        "SELECT count(*) FROM billing_rows_current WHERE connection_id = %s AND export = %s"
        " GROUP BY source_key ORDER BY source_key",
        connection_id,
        export,
    )


def _count(connection_id: int, file_id: int) -> int:
    statement = "SELECT count(*) FROM billing_rawrow WHERE connection_id = %s AND source_file_id = %s"
    return _column(statement, connection_id, file_id)[0]


def _totals(connection_id: int) -> tuple[int, int]:
    stored = _column("SELECT count(*) FROM billing_rawrow WHERE connection_id = %s", connection_id)[0]
    registered = SourceFile.objects.filter(connection=connection_id, status="INGESTED")
    return stored, sum(registered.values_list("row_count", flat=True))


def _rows(connection_id: int, file_id: int) -> Rows:
    return _column(
        'SELECT "values" FROM billing_rawrow WHERE connection_id = %s AND source_file_id = %s'
        " ORDER BY row_number",
        connection_id,
        file_id,
    )


def _column(statement: str, *parameters: object) -> list:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [value for (value,) in cursor.fetchall()]
