"""The arguments commands share, and how they are understood."""

from argparse import ArgumentParser
from datetime import date, datetime

from django.core.management.base import CommandError
from django.db.models import QuerySet

from ingestion.models import ClientConnection, SourceFile

USAGE_ERROR = 2


def add_connection(parser: ArgumentParser, *, required: bool = False) -> None:
    """`--connection`, by id or unique name."""
    parser.add_argument(
        "--connection", metavar="N", required=required, help="a connection's id or its unique name"
    )


def connection_named(text: str) -> ClientConnection:
    """The connection with this id or name. Raises CommandError (exit status 2)."""
    by = {"pk": int(text)} if text.isdecimal() else {"name": text}
    found = ClientConnection.objects.select_related("client").filter(**by).first()
    if found is None:
        raise CommandError(f"There is no connection {text!r}.", returncode=USAGE_ERROR)
    return found


def connections_named(text: str | None) -> list[ClientConnection]:
    """The one connection meant, or every enabled one. Raises CommandError (exit status 2)."""
    if text is not None:
        return [_enabled(connection_named(text))]
    return list(ClientConnection.objects.filter(enabled=True, client__enabled=True).order_by("name"))


def file_with_id(file_id: int) -> QuerySet[SourceFile]:
    """The one registered file with this id, of an enabled connection. Raises CommandError (exit status 2)."""
    files = SourceFile.objects.filter(pk=file_id)
    found = files.select_related("connection__client").first()
    if found is None:
        raise CommandError(f"There is no file {file_id}.", returncode=USAGE_ERROR)
    _enabled(found.connection)
    return files


def _enabled(connection: ClientConnection) -> ClientConnection:
    if not (connection.enabled and connection.client.enabled):
        raise CommandError(f"Connection {connection.name!r} is disabled.", returncode=USAGE_ERROR)
    return connection


def period(text: str) -> date:
    """`YYYY-MM` -> the first day of that month."""
    return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007  # a month has no time zone
