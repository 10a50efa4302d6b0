"""Writes down what a run did in a client's account, whatever becomes of the run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from ingestion.aws_calls import Calls
from ingestion.models import AwsUse

CLOSING = ["ended_at", "calls", "bytes_received", "session_arn", "request_ids"]

logger = logging.getLogger(__name__)


@contextmanager
def recorded(
    connection_id: int, run: str, actor: str, subject: str = "", using: str = "default"
) -> Iterator[Calls]:
    """Counts for the clients made inside, in an AwsUse that is begun before and closed after.

    `using`: the database alias to write by, where `default` may be rolled back. A worker that dies inside
    leaves the AwsUse open: nobody can say what it asked.
    """
    calls = Calls(run)
    use = AwsUse(
        connection_id=connection_id, run=run, actor=actor, subject=subject, started_at=timezone.now()
    )
    use.save(using=using, force_insert=True)
    try:
        yield calls
    finally:
        use.ended_at, use.calls, use.bytes_received = timezone.now(), calls.told(), calls.bytes_received
        use.session_arn, use.request_ids = calls.session_arn, calls.told_ids()
        _close(use, using)


def _close(use: AwsUse, using: str) -> None:
    try:
        use.save(using=using, update_fields=CLOSING)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The calls of %s could not be written down: %s: %s", use, use.calls, error)
