"""A process that discovers, loads and publishes, stops at a named point, and tells when it is there.

Imported by multiprocessing's fork server, so that each victim starts in a moment, with Django set up.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import django
from django.db import InterfaceError, OperationalError

django.setup()

from ingestion.errors import DatabaseUnavailable  # noqa: E402  # needs Django to be set up
from ingestion.pipeline import run  # noqa: E402
from ingestion.queueing import waiting_files  # noqa: E402


@dataclass(frozen=True)
class Point:
    """A place in the code: before or after the n-th call of a function."""

    name: str
    module: str
    attribute: str
    after: bool = False


RUN = "ingestion.pipeline.run"
# Steps 1 to 3, then a load from its claim to its publishing; in the order in which they are reached.
POINTS = [
    Point("discovery begun", RUN, "begin_run", after=True),
    Point("page listed", "ingestion.pipeline.identify_new", "NewFiles.take", after=True),
    Point("listing registered", "ingestion.pipeline.identify_new", "NewFiles.finish", after=True),
    Point("deliveries observed", RUN, "ManifestDeliveries.observe", after=True),
    Point("discovery ended", RUN, "end_run", after=True),
    Point("before the claim", RUN, "claim"),
    Point("claimed", RUN, "claim", after=True),
    Point("attempt begun", RUN, "begin_attempt", after=True),
    Point("role assumed", RUN, "s3_client", after=True),
    Point("inside read", "ingestion.pipeline.stream_read", "ObjectReader.read", after=True),
    Point("columns read", RUN, "parse", after=True),
    Point("inside parse", "billing.encode", "RowEncoder.encode"),
    Point("inside COPY", "psycopg", "Copy.write", after=True),
    Point("COPY done", RUN, "insert", after=True),
    Point("status written", RUN, "record_success", after=True),
    Point("inside commit", "django.db.backends.base.base", "BaseDatabaseWrapper._commit"),
    Point("commit returned", "django.db.backends.base.base", "BaseDatabaseWrapper._commit", after=True),
    Point("committed", RUN, "publish_of_file"),
    Point("inside publish", "ingestion.publish", "_clock", after=True),
    Point("the one before superseded", "ingestion.publish", "_supersede", after=True),
    Point("receipt of the delivery written", "ingestion.publish", "write_delivery_receipt", after=True),
    Point("published", "ingestion.publish", "publish", after=True),
]


def work(connection_id: int, name: str, stop: tuple[Point, int] | None, pipe: Connection) -> None:
    """What one worker does with everything that is due. `stop`: where to wait for a word, and which time."""
    os.environ["PGAPPNAME"] = name
    if stop:
        _stop_at(*stop, pipe)
    try:
        run.discover(connection_id, name)
        for file in waiting_files():
            run.load(file.pk, name)
        run.publish_ready()
    except (DatabaseUnavailable, OperationalError, InterfaceError):
        pass  # as a task of the queue, it ends here; the next sweep goes on
    pipe.send("done")


def _stop_at(point: Point, occurrence: int, pipe: Connection) -> None:
    owner: Any = importlib.import_module(point.module)
    *path, last = point.attribute.split(".")
    for part in path:
        owner = getattr(owner, part)
    original: Callable[..., Any] = getattr(owner, last)
    calls = 0

    def stopping(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != occurrence:
            return original(*arguments, **options)
        if point.after:
            answer = original(*arguments, **options)
            _wait(pipe)
            return answer
        _wait(pipe)
        return original(*arguments, **options)

    setattr(owner, last, stopping)


def _wait(pipe: Connection) -> None:
    pipe.send("here")
    pipe.recv()
