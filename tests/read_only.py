"""A database that takes no writes for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections


@contextmanager
def read_only_database() -> Iterator[None]:
    """Sessions that begin from now on may not write."""
    name = connection.settings_dict["NAME"]
    _execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    connections.close_all()
    try:
        yield
    finally:
        _execute("SET default_transaction_read_only = off")
        _execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        connections.close_all()


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
