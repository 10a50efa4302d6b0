"""Rights that PostgreSQL gives every role, and with which one could keep KCX from its work."""

from collections.abc import Iterator

from django.db import connection
from psycopg import sql

# To hold the locks KCX waits for.
LOCKS = r"""
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_(xact_)?lock'
"""
# To fill the disk, where default_transaction_read_only was switched off again.
LARGE_OBJECTS = r"""
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea')
"""
OPEN = f"{LOCKS} AND has_function_privilege('public', oid, 'EXECUTE')"
LOADING = r"""
SELECT rolname::text FROM pg_roles
WHERE has_table_privilege(oid, 'billing_rawrow', 'INSERT') AND NOT rolsuper AND rolname !~ '^pg_'
ORDER BY 1
"""
SUPERUSER = "SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper"


def kept_for_loading(*more: str) -> Iterator[sql.Composed]:
    """SQL that leaves locks and temporary tables to the roles that load and to `more`, large objects to none.

    Nothing where no superuser is connected: PostgreSQL lets nobody else take a right of its own from PUBLIC.
    """
    if not _rows(SUPERUSER):
        return
    roles = {*more, *(name for (name,) in _rows(LOADING))}
    names = sql.SQL(", ").join(map(sql.Identifier, sorted(roles)))
    for (function,) in sorted(_rows(LOCKS)):
        if roles:
            yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), names)
        yield _closed(function)
    for (function,) in sorted(_rows(LARGE_OBJECTS)):
        yield _closed(function)
    database = sql.Identifier(connection.settings_dict["NAME"])
    if roles:
        yield sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, names)
    yield sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database)


def are_open() -> bool:
    """May every role that can log in hold KCX's locks?"""
    return bool(_rows(OPEN))


def _closed(function: str) -> sql.Composed:
    return sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(sql.SQL(function))


def _rows(statement: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
