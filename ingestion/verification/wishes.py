"""Verifications that are asked for: they wait in a table of their own, and no load waits behind them."""

import logging
import time
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
from ingestion.verification.verify import files_to_verify, keep, verify_file, verify_receipts

logger = logging.getLogger(__name__)

VERIFY = "ingestion.tasks.verify"
# The first half of the advisory lock of whoever does one; the second is the request's id.
LOCK_CLASS = 0x4B435B
# A verification whose process dies each time is given up: it would take a process from the loads each minute.
MOST_TRIES = 3
# A connection is verified by one task after the other, each for this part of the time a task may take.
SLICES = 6
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

    Does nothing where it is done, or is being done elsewhere. What breaks it off, the queue's time limit (a
    SystemExit) included, is kept as not compared, and raised.
    """
    with one_at_a_time(request_id, LOCK_CLASS) as alone:
        wish = VerificationRequest.objects.filter(pk=request_id).first()
        if not alone or wish is None:
            return
        try:
            done = _verify(wish)
        except BaseException as error:
            _give_up(wish, f"It was broken off: {type(error).__name__}: {error}")
            raise
        if done:
            wish.delete()
        else:
            VerificationRequest.objects.filter(pk=wish.pk).update(queued_at=None)
    queue_verifications()


def _verify(wish: VerificationRequest) -> bool:
    """Every report is kept, and a difference is logged. False where another task has to go on."""
    if wish.source_file_id:
        verify_file(wish.source_file_id, wish.actor, against_s3=wish.against_s3)
        return True
    if not wish.done_up_to:
        verify_receipts(wish.connection_id, wish.actor)
    until = time.monotonic() + settings.Q_CLUSTER["timeout"] / SLICES
    for file_id in files_to_verify(wish.connection_id, after=wish.done_up_to):
        verify_file(file_id, wish.actor, against_s3=wish.against_s3)
        wish.done_up_to = file_id
        VerificationRequest.objects.filter(pk=wish.pk).update(done_up_to=file_id, tries=0)
        if time.monotonic() > until:
            return False
    return True


def _request(wishes: Iterable[VerificationRequest]) -> None:
    VerificationRequest.objects.bulk_create(wishes, ignore_conflicts=True)
    queue_verifications()


def _without_the_deadly(wishes: list[VerificationRequest]) -> list[VerificationRequest]:
    """Of these, those that are not given up; the ones whose task is lost are as if they were not queued."""
    lost, kept = _lost(wishes), []
    for wish in wishes:
        if wish.pk in lost and wish.tries >= MOST_TRIES:
            _give_up(wish, f"The worker died each of the {wish.tries} times it was tried.")
            continue
        if wish.pk in lost:
            wish.queued_at = None
        kept.append(wish)
    return kept


@transaction.atomic
def _give_up(wish: VerificationRequest, why: str) -> None:
    what = wish.source_file or wish.connection
    report = Report(str(what), wish.source_file_id)
    report.not_compared.append(why)
    if wish.done_up_to:
        report.not_compared.append(f"Files with an id above {wish.done_up_to} are not compared.")
    keep(report, wish.connection, wish.actor, wish.requested_at, against_s3=wish.against_s3)
    logger.error("The verification of %s is given up: %s", what, why)
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
