"""Writes down what a run did in a client's account, whatever becomes of the run."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from ingestion.aws_calls import Calls
from ingestion.models import AwsUse

logger = logging.getLogger(__name__)


@contextmanager
def recorded(
    connection_id: int, run: str, actor: str, subject: str = "", using: str = "default"
) -> Iterator[Calls]:
    """Counts for the clients made inside; one AwsUse at the end where anything was sent.

    `using`: the database alias to write by, where `default` may be rolled back. A worker that dies inside
    leaves no AwsUse: the run itself then tells that it crashed.
    """
    calls, started_at = Calls(run), timezone.now()
    try:
        yield calls
    finally:
        if told := calls.told():
            use = AwsUse(
                connection_id=connection_id,
                run=run,
                actor=actor,
                subject=subject,
                started_at=started_at,
                ended_at=timezone.now(),
                calls=told,
                bytes_received=calls.bytes_received,
            )
            _write(use, using)


def _write(use: AwsUse, using: str) -> None:
    try:
        use.save(using=using, force_insert=True)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("The calls of %s could not be written down: %s: %s", use, use.calls, error)
