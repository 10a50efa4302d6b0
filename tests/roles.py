"""The three roles on the test's own server, and sessions of theirs."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection
from psycopg import sql

from kcx.catalog import server
from kcx.roles import Roles, apply

PASSWORD = "of the tests"


@contextmanager
def roles_set_up(prefix: str = "") -> Iterator[Roles]:
    """The roles, able to log in; what they own is the test's own again when the block ends.

    Roles belong to the whole server: each test database has a set of its own.
    """
    roles = Roles.named(f"{connection.settings_dict['NAME']}{prefix}")
    apply(roles)
    try:
        for role in (roles.owner, roles.loader, roles.reader):
            run(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(PASSWORD)))
        yield roles
    finally:
        drop(roles)


def drop(roles: Roles) -> None:
    """Drop the roles that exist; what they own is the test's own again."""
    for role in server([roles.owner, roles.loader, roles.reader]).roles:
        name = sql.Identifier(role)
        run(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
        run(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(name))
        run(sql.SQL("DROP OWNED BY {}").format(name))
        run(sql.SQL("DROP ROLE {}").format(name))


def run(statement: sql.Composable) -> None:
    """Execute a statement as the test's own role."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def login(role: str) -> dict[str, str]:
    """How the role connects."""
    return {"user": role, "password": PASSWORD}


@contextmanager
def session_of(role: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """A session of the role in the test's database; each statement commits."""
    params = connection.get_connection_params()
    wanted = {name: params[name] for name in ("dbname", "host", "port") if params.get(name)}
    session = psycopg.connect(**wanted, **login(role), autocommit=True)
    backend = session.info.backend_pid
    try:
        yield session
    finally:
        session.close()
        # Its temporary tables go as it ends, later than it is closed; dropping the role must not meet them.
        run(sql.SQL("SELECT pg_terminate_backend({}, 60000)").format(backend))
