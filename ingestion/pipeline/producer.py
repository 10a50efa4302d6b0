"""Runs an iterator in a thread of its own, a few items ahead of the one who consumes it."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def in_background(items: Iterator[T], ahead: int) -> Generator[T, None, None]:
    """The items in order, produced in a thread, at most `ahead` of them waiting.

    What the iterator raises is raised here. Closing this generator ends the thread before it returns.
    """
    queue: Queue[_Item[T] | _End] = Queue(ahead)
    stopped = Event()
    thread = Thread(target=_produce, args=(items, queue, stopped), name="kcx-producer", daemon=True)
    thread.start()
    try:
        while isinstance(item := queue.get(), _Item):
            yield item.value
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


def _produce(items: Iterator[T], queue: Queue[_Item[T] | _End], stopped: Event) -> None:
    try:
        for item in items:
            if not _put(_Item(item), queue, stopped):
                return
        end = _End(None)
    except BaseException as error:  # noqa: BLE001  # handed over, not handled
        end = _End(error)
    _put(end, queue, stopped)


def _put(item: _Item[T] | _End, queue: Queue[_Item[T] | _End], stopped: Event) -> bool:
    while not stopped.is_set():
        try:
            queue.put(item, timeout=0.1)
        except Full:
            continue
        return True
    return False
