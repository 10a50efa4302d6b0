"""What goes wrong with a load or a discovery, as KCX's own error."""

import logging

from django.db import DatabaseError, InterfaceError
from django_q.exceptions import TimeoutException

from ingestion.database_errors import named
from ingestion.errors import IngestionError, UnexpectedError
from ingestion.worker_errors import OutOfMemory, TimeLimit

logger = logging.getLogger(__name__)

# What Python says where memory for a thread's stack is refused.
NO_THREAD = "can't start new thread"


def as_ours(error: Exception | TimeoutException) -> IngestionError:
    """The error in KCX's tree; what has no place there is logged."""
    if isinstance(error, IngestionError):
        return error
    if isinstance(error, (DatabaseError, InterfaceError)):
        return named(error, "PostgreSQL stopped the work")
    if isinstance(error, TimeoutException):
        return TimeLimit(f"It was ended by its time limit, KCX_TASK_TIMEOUT_SECONDS ({error}).")
    if isinstance(error, MemoryError) or str(error) == NO_THREAD:
        return OutOfMemory(f"The worker reached its memory limit: {error or 'no more memory'}.")
    logger.error("Unexpected error", exc_info=error)
    return UnexpectedError(f"{type(error).__name__}: {error}")
