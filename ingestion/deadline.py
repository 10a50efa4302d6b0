"""How long KCX waits for AWS: botocore's timeouts bound each silence, these bound the whole."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from django.conf import settings

from ingestion.aws_errors import translated
from ingestion.errors import TooSlow

T = TypeVar("T")


def ask(doing: str, call: Callable[[], T], seconds: float | None = None) -> T:
    """What AWS answers to `call`, within `seconds` (default: KCX_AWS_SECONDS, the SDK's tries included).

    Raises what AWS refuses as an IngestionError that begins with `doing`, and TooSlow. A call that is too
    slow is left behind in its thread, which ends when the other side hangs up, or with the process.
    """
    limit = settings.KCX_AWS_SECONDS if seconds is None else seconds
    answer: Future[T] = Future()
    Thread(target=_answer, args=(answer, call), name="kcx-aws", daemon=True).start()
    with translated(doing):
        try:
            return answer.result(max(limit, 0))
        except TimeoutError:
            if answer.done():
                raise
    bounds = f"{settings.KCX_AWS_SECONDS:g} s and {settings.KCX_MIN_BYTES_PER_SECOND:,} bytes a second"
    raise TooSlow(f"{doing}: AWS was too slow; KCX bears {bounds}.")


class Pace:
    """The slowest that bytes may come: KCX_MIN_BYTES_PER_SECOND, and at most KCX_AWS_SECONDS behind it.

    Only time that is spent waiting for AWS counts. An object of N bytes therefore takes at most
    KCX_AWS_SECONDS + N / KCX_MIN_BYTES_PER_SECOND of it.
    """

    def __init__(self) -> None:
        self._left = float(settings.KCX_AWS_SECONDS)

    def ask(self, doing: str, call: Callable[[], T]) -> T:
        """As `ask`, in the time that is left. Raises TooSlow, too, where the bytes came too slowly."""
        began = time.monotonic()
        try:
            return ask(doing, call, self._left)
        finally:
            self._left -= time.monotonic() - began

    def came(self, count: int) -> None:
        """So many bytes came."""
        earned = count / settings.KCX_MIN_BYTES_PER_SECOND
        self._left = min(self._left + earned, float(settings.KCX_AWS_SECONDS))


def _answer(answer: Future[T], call: Callable[[], T]) -> None:
    try:
        answer.set_result(call())
    except BaseException as error:  # noqa: BLE001  # handed over, not handled
        answer.set_exception(error)
