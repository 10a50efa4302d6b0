"""Signs of life: inside a cluster, each task that begins, ends and is recorded; read by its supervisor."""

import ctypes
import logging
import os
import resource
import signal
import sys
from typing import Any

from django.conf import settings
from django.db.models.functions import Now
from django_q.signals import post_execute, post_execute_in_worker, pre_execute

from ingestion.models import Worker

logger = logging.getLogger(__name__)

# Set by the supervisor for the cluster it starts: the id of its row.
VARIABLE = "KCX_WORKER_ID"
PR_SET_PDEATHSIG = 1


def join_supervisor() -> bool:
    """In a supervised cluster: report every task, keep to the memory limit, end should the supervisor die.

    Returns whether this is one.
    """
    if not os.environ.get(VARIABLE):
        return False
    pre_execute.connect(_begun)
    post_execute_in_worker.connect(_ended)
    post_execute.connect(_recorded)
    if limit := settings.KCX_WORKER_MEMORY_MB * 2**20:
        # Inherited by every process of the cluster; counts the memory a process may write.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    if sys.platform == "linux":
        # Of this process only: forked children do not inherit it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return True


def _begun(**_signal: Any) -> None:
    _mark("begun_at")


def _ended(**_signal: Any) -> None:
    _mark("ended_at")


def _recorded(**_signal: Any) -> None:
    _mark("recorded_at")


def _mark(field: str) -> None:
    try:
        Worker.objects.filter(pk=int(os.environ[VARIABLE])).update(**{field: Now()})
    except Exception:
        # django-q2 lets a worker die of what a receiver raises, and then runs its task again for ever.
        logger.exception("The sign of life %s could not be written", field)
