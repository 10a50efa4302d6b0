"""Keeps the views of exports and clients up to date: entered by a load, made after it, mended by a sweep."""

import logging
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction

from ingestion.models import SourceFile

logger = logging.getLogger(__name__)

ENTER = "SELECT ingestion_enter_layout(%s, %s)"
MAKE_EXPORT = "SELECT ingestion_make_export_view(%s)"
MAKE_CLIENT = "SELECT ingestion_make_client_views(%s)"

NOT_ENTERED = """
SELECT export_id, layout_id FROM ingestion_sourcefile file
WHERE status = 'INGESTED' AND export_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM ingestion_exportviewlayout entered
    WHERE entered.export_id = file.export_id AND entered.layout_id = file.layout_id
)
GROUP BY export_id, layout_id ORDER BY export_id, layout_id
"""
# With %s: of one export, or NULL for any.
LACKING = """
SELECT export_id FROM ingestion_exportview shown
WHERE export_id = coalesce(%s, export_id) AND (
    to_regclass(quote_ident(name)) IS NULL
    OR columns < (SELECT count(*) FROM ingestion_exportviewcolumn col
                  WHERE col.export_id = shown.export_id AND col.name IS NOT NULL)
)
ORDER BY export_id
"""
# What is there is compared with what should be: of two who make views at the same time, each sees only what
# was committed when it began, and no time that is written down tells what that was. One too many counts, too.
STALE_CLIENTS = """
SELECT own.client_id FROM ingestion_clientschema own
WHERE own.client_id = coalesce(%s, own.client_id) AND (
    own.made_at IS NULL
    OR own.connections <> ARRAY(
        SELECT id FROM ingestion_clientconnection WHERE client_id = own.client_id ORDER BY id
    )
    OR EXISTS (
        SELECT FROM (
            SELECT unnest(ARRAY[
                'billing_rows_all', 'billing_rows_current', 'billing_rows_published', 'billing_files',
                'billing_deliveries', 'billing_delivery_files', 'billing_deliveries_never_current',
                'billing_export_views', 'billing_export_columns'
            ]) AS name
            UNION ALL
            SELECT shown.name || suffix FROM ingestion_exportview shown
                JOIN ingestion_export export ON export.id = shown.export_id
                JOIN ingestion_clientconnection held ON held.id = export.connection_id,
                unnest(ARRAY['', '_all']) suffix
            WHERE held.client_id = own.client_id AND shown.made_at IS NOT NULL
        ) wanted
            JOIN pg_class source ON source.relname = wanted.name
                AND source.relnamespace = quote_ident(current_schema())::regnamespace
            FULL JOIN (
                SELECT relname::text, relnatts FROM pg_class
                WHERE relkind = 'v' AND relnamespace = to_regnamespace(quote_ident(own.name))
            ) made ON made.relname = wanted.name
        WHERE made.relnatts IS DISTINCT FROM source.relnatts
    )
)
ORDER BY own.client_id
"""


def enter_layout(file: SourceFile) -> None:
    """Enter an ingested file's layout in the catalogue, in the load's transaction.

    The views show its rows at once. What goes wrong is logged and left to a sweep: no load fails for it.
    """
    if file.export_id is not None:
        _done(ENTER, file.export_id, file.layout_id)


def refresh_of_file(source_file_id: int) -> None:
    """Make the views of the file's export where they are missing or lack a column, and then its client's."""
    found = SourceFile.objects.filter(pk=source_file_id, export__isnull=False)
    for export_id, client_id in found.values_list("export_id", "connection__client_id"):
        if _make(MAKE_EXPORT, LACKING, export_id):
            _make(MAKE_CLIENT, STALE_CLIENTS, client_id)


def refresh_stale() -> int:
    """Enter what is not entered, make what is missing or lacks something; answers how many were made."""
    for pair in _rows(NOT_ENTERED, []):
        _done(ENTER, *pair)
    return _make(MAKE_EXPORT, LACKING, None) + _make(MAKE_CLIENT, STALE_CLIENTS, None)


def still_stale() -> int:
    """How many views of exports, schemas of clients and layouts are not up to date."""
    return len([*_rows(NOT_ENTERED, []), *_rows(LACKING, [None]), *_rows(STALE_CLIENTS, [None])])


def make_client_views(client_id: int) -> None:
    """Make the views of a client's schema anew. Raises DatabaseError."""
    _rows(MAKE_CLIENT, [client_id])


def _make(statement: str, stale: str, of: int | None) -> int:
    return sum(_done(statement, one) for (one,) in _rows(stale, [of]))


def _done(statement: str, *numbers: int | None) -> bool:
    """Run it, in a savepoint where a transaction runs; False where PostgreSQL refused, which is logged."""
    try:
        with transaction.atomic():
            _rows(statement, list(numbers))
    except (DatabaseError, InterfaceError) as error:
        logger.warning(
            "A view is not up to date; the next sweep tries again: %s %s: %s", statement, numbers, error
        )
        return False
    return True


def _rows(statement: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
