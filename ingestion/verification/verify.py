"""Verifies files and connections, each in one snapshot of the database, and keeps what came of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

from ingestion.database_errors import named
from ingestion.load_session import prepare_for_reading
from ingestion.models import ClientConnection, SourceFile, Verification
from ingestion.verification.bucket import compare_object
from ingestion.verification.chain import Head, compare_chain, compare_registry, with_receipts_or_rows
from ingestion.verification.report import Report
from ingestion.verification.stored import compare_receipt, compare_rows

logger = logging.getLogger(__name__)


def verify_file(source_file_id: int, actor: str, *, against_s3: bool = False) -> Report:
    """Compare one file with its digests, its receipt and, if asked, its object in the bucket."""
    started = timezone.now()
    file = SourceFile.objects.select_related("connection").get(pk=source_file_id)
    report = Report(f"file {file.pk} {file.key}", file.pk)
    with _one_snapshot(report):
        file = SourceFile.objects.select_related("connection", "layout").get(pk=source_file_id)
        compare_receipt(file, report)
        compare_rows(file, report)
        if against_s3 and file.status == SourceFile.Status.INGESTED:
            compare_object(file, report, actor)
    keep(report, file.connection, actor, started, against_s3=against_s3)
    return report


def verify_receipts(connection_id: int, actor: str, head: Head | None = None) -> Report:
    """Compare a connection's receipts with each other, with an exported head and with the registry."""
    started = timezone.now()
    client_connection = ClientConnection.objects.get(pk=connection_id)
    report = Report(f"receipts of {client_connection.name}")
    with _one_snapshot(report):
        compare_chain(client_connection, head, report)
        compare_registry(client_connection, report)
    keep(report, client_connection, actor, started)
    return report


def verify_connection(
    connection_id: int,
    actor: str,
    month: date | None = None,
    head: Head | None = None,
    *,
    against_s3: bool = False,
) -> Iterator[Report]:
    """A connection's receipts, then its files one after the other; of one billing period, if given."""
    yield verify_receipts(connection_id, actor, head)
    for file_id in files_to_verify(connection_id, month):
        yield verify_file(file_id, actor, against_s3=against_s3)


def files_to_verify(connection_id: int, month: date | None = None, after: int = 0) -> list[int]:
    """The files of a connection, or of one billing period of it, that a verification compares, behind one."""
    files = with_receipts_or_rows(ClientConnection.objects.get(pk=connection_id)).filter(pk__gt=after)
    of_month = files.filter(billing_period_start=month) if month else files
    return list(of_month.values_list("pk", flat=True))


@contextmanager
def _one_snapshot(report: Report) -> Iterator[None]:
    """All statements see the database as it is at the first of them: a reload beside it is not seen.

    Where PostgreSQL ends the comparison before its end, the report says so.
    """
    try:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            prepare_for_reading()
            yield
    except (DatabaseError, InterfaceError) as error:
        report.not_compared.append(str(named(error, "PostgreSQL ended the comparison")))


def keep(
    report: Report, of: ClientConnection, actor: str, started: datetime, *, against_s3: bool = False
) -> None:
    """Write down what came of a comparison that ends now; a difference is an ERROR line, too."""
    kept = Verification.objects.create(
        connection=of,
        source_file_id=report.file_id,
        actor=actor,
        against_s3=against_s3,
        started_at=started,
        ended_at=timezone.now(),
        outcome=report.outcome,
        report=report.as_json(),
    )
    if report.outcome == Verification.Outcome.DIFFERENT:
        logger.error(
            "Verification %s found %s differences in %s", kept.pk, report.counts.total(), report.subject
        )
