"""Translates what PostgreSQL refuses, once, into KCX's own errors: does waiting help?"""

import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError

from ingestion.errors import DatabaseUnavailable, IngestionError, StorageError


class DatabaseFull(DatabaseUnavailable):
    """PostgreSQL has no space left for the rows."""

    code = "database_full"
    next_action = "Give PostgreSQL more space; KCX tries again by itself."


class DatabaseReadOnly(DatabaseUnavailable):
    """PostgreSQL takes no writes: a standby, or set to read-only."""

    code = "database_read_only"
    next_action = "Point DATABASE_URL at the primary, or let it take writes; KCX tries again by itself."


class DatabaseNotReady(DatabaseUnavailable):
    """A right, table or column that KCX needs is missing: the database was not brought up to this version."""

    code = "database_not_ready"
    next_action = (
        "Run `manage.py migrate`, and `database_roles` where roles are set up; KCX tries again by itself."
    )


BY_SQLSTATE: dict[str, type[IngestionError]] = {"53100": DatabaseFull, "25006": DatabaseReadOnly}
# A right or a name is missing that KCX's own statements need; what a file holds is never the cause.
NOT_READY_CLASS = "42"
# Connection lost; rolled back in favour of another; out of resources; locked; stopped by its operator.
PASSING_CLASSES = ("08", "40", "53", "55", "57")


def named(error: DatabaseError | InterfaceError | psycopg.Error, doing: str) -> IngestionError:
    """The error as KCX's own, with a sentence that begins with `doing`."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    state = (cause.sqlstate if isinstance(cause, psycopg.Error) else None) or ""
    kind = DatabaseNotReady if state.startswith(NOT_READY_CLASS) else BY_SQLSTATE.get(state)
    if kind is None:
        lost = isinstance(error, (OperationalError, InterfaceError, psycopg.OperationalError))
        kind = DatabaseUnavailable if lost or state.startswith(PASSING_CLASSES) else StorageError
    return kind(f"{doing}: {str(error).strip()}")
