"""Verifications that are asked for: they wait in a table of their own, and no load waits behind them."""

import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery
from django.utils import timezone
from django_q.tasks import async_task

from ingestion.discovery_runs import one_at_a_time
from ingestion.models import ClientConnection, SourceFile, Verification, VerificationRequest
from ingestion.queueing import QUEUED_AGAIN_AFTER, waiting_numbers
from ingestion.verification.report import Report
from ingestion.verification.verify import keep, verify_connection, verify_file

logger = logging.getLogger(__name__)

VERIFY = "ingestion.tasks.verify"
# The first half of the advisory lock of whoever does one; the second is the request's id.
LOCK_CLASS = 0x4B435B
# A verification whose process dies each time is given up: it would take a process from the loads each minute.
MOST_TRIES = 3
DOING = """
SELECT objid::bigint FROM pg_locks
WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def request_verification(files: Iterable[SourceFile], actor: str, *, against_s3: bool) -> None:
    """Ask for a verification of each file; one that is asked for already is not asked for twice."""
    _request(
        VerificationRequest(
            connection_id=file.connection_id, source_file=file, actor=actor, against_s3=against_s3
        )
        for file in files
    )


def request_verification_of_connection(client_connection: ClientConnection, actor: str) -> None:
    """Ask for a comparison of a connection's receipts and files, as they are stored."""
    _request([VerificationRequest(connection=client_connection, actor=actor)])


def request_sample(count: int, actor: str) -> None:
    """Ask for so many files to be compared with S3, those not verified for longest."""
    last = Verification.objects.filter(source_file=OuterRef("pk"), against_s3=True).order_by("-ended_at")
    ingested = SourceFile.objects.filter(
        status=SourceFile.Status.INGESTED, connection__enabled=True, connection__client__enabled=True
    ).annotate(verified_at=Subquery(last.values("ended_at")[:1]))
    sample = ingested.order_by(F("verified_at").asc(nulls_first=True), "pk")[:count]
    request_verification(sample, actor, against_s3=True)


@transaction.atomic
def queue_verifications() -> int:
    """Queue those asked for first, one fewer at a time than there are workers; answers how many.

    So a worker is left for loads and discoveries, however many verifications wait.
    """
    wishes = _without_the_deadly(list(VerificationRequest.objects.select_for_update()))
    waiting = [wish.pk for wish in wishes if wish.queued_at is None]
    under_way = len(wishes) - len(waiting)
    chosen = waiting[: max(max(settings.Q_CLUSTER["workers"] - 1, 1) - under_way, 0)]
    for request_id in chosen:
        async_task(VERIFY, request_id, task_name=f"verify, request {request_id}")
    VerificationRequest.objects.filter(pk__in=chosen).update(queued_at=timezone.now(), tries=F("tries") + 1)
    return len(chosen)


def fulfil(request_id: int) -> None:
    """Do one verification that was asked for, in the name of who asked; then queue the next.

    Does nothing where it is done, or is being done elsewhere.
    """
    with one_at_a_time(request_id, LOCK_CLASS) as alone:
        wish = VerificationRequest.objects.filter(pk=request_id).first()
        if not alone or wish is None:
            return
        try:
            _verify(wish)
        finally:
            wish.delete()
    queue_verifications()


def _verify(wish: VerificationRequest) -> None:
    if wish.source_file_id:
        verify_file(wish.source_file_id, wish.actor, against_s3=wish.against_s3)
        return
    for _ in verify_connection(wish.connection_id, wish.actor, against_s3=wish.against_s3):
        pass  # every report is kept, and a difference is logged


def _request(wishes: Iterable[VerificationRequest]) -> None:
    VerificationRequest.objects.bulk_create(wishes, ignore_conflicts=True)
    queue_verifications()


def _without_the_deadly(wishes: list[VerificationRequest]) -> list[VerificationRequest]:
    """Of these, those that are not given up; the ones whose task is lost are as if they were not queued."""
    lost, kept = _lost(wishes), []
    for wish in wishes:
        if wish.pk in lost and wish.tries >= MOST_TRIES:
            _give_up(wish)
            continue
        if wish.pk in lost:
            wish.queued_at = None
        kept.append(wish)
    return kept


def _give_up(wish: VerificationRequest) -> None:
    what = wish.source_file or wish.connection
    report = Report(str(what), wish.source_file_id)
    report.not_compared.append(f"The worker died each of the {wish.tries} times it was tried.")
    keep(report, wish.connection, wish.actor, wish.requested_at, against_s3=wish.against_s3)
    logger.error("The verification of %s is given up: its worker died %s times", what, wish.tries)
    wish.delete()


def _lost(wishes: list[VerificationRequest]) -> set[int]:
    """The requests whose task neither waits in the queue nor is being done: its process died."""
    long_ago = timezone.now() - QUEUED_AGAIN_AFTER
    late = {wish.pk for wish in wishes if wish.queued_at and wish.queued_at < long_ago}
    if not late:
        return late
    with connection.cursor() as cursor:
        cursor.execute(DOING, [LOCK_CLASS])
        return late - {request_id for (request_id,) in cursor.fetchall()} - waiting_numbers(VERIFY)
