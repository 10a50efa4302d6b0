"""Who may take advisory locks: whoever holds those of KCX's keeps it from its work."""

from collections.abc import Iterator

from django.db import connection
from psycopg import sql

# By default every role that can log in may.
FUNCTIONS = r"""
SELECT oid::regprocedure::text FROM pg_proc
WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '^pg_(try_)?advisory_(xact_)?lock'
"""
OPEN = f"{FUNCTIONS} AND has_function_privilege('public', oid, 'EXECUTE')"
LOADING = r"""
SELECT rolname::text FROM pg_roles
WHERE has_table_privilege(oid, 'billing_rawrow', 'INSERT') AND NOT rolsuper AND rolname !~ '^pg_'
ORDER BY 1
"""
SUPERUSER = "SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper"


def kept_for_loading(*more: str) -> Iterator[sql.Composed]:
    """SQL that leaves the locks to the roles that load, and to `more`; none where no superuser is connected.

    PostgreSQL lets nobody else take a right of its own functions from PUBLIC.
    """
    if not _rows(SUPERUSER):
        return
    roles = {*more, *(name for (name,) in _rows(LOADING))}
    for (function,) in sorted(_rows(FUNCTIONS)):
        if roles:
            names = sql.SQL(", ").join(map(sql.Identifier, sorted(roles)))
            yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(sql.SQL(function), names)
        yield sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(sql.SQL(function))


def are_open() -> bool:
    """May every role that can log in hold KCX's locks?"""
    return bool(_rows(OPEN))


def _rows(statement: str) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())
