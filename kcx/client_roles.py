"""A database role per client that reads one schema: its own views of its own rows."""

import secrets
from collections.abc import Iterator

from django.db import connection, transaction
from psycopg import sql

from ingestion.export_views import make_client_views
from ingestion.models import Client, ClientSchema
from ingestion.staff_actions import record
from kcx.public_rights import kept_for_loading

ENTER = sql.SQL(
    "INSERT INTO ingestion_clientschema (client_id, name, connections) VALUES ({}, {}, '{{}}')"
    " ON CONFLICT (client_id) DO NOTHING"
)
OWNER = "SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = 'billing_rawrow'::regclass"
TAKEN = (
    "SELECT FROM pg_roles WHERE rolname = %(name)s UNION SELECT FROM pg_namespace WHERE nspname = %(name)s"
)
# What a re-run finds made by somebody else: before there were roles, the one that migrated owned everything.
FOREIGN = """
SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass::text FROM pg_class
WHERE relnamespace = to_regnamespace(quote_ident(%(name)s)) AND relkind IN ('v', 'r')
    AND pg_get_userbyid(relowner) <> %(owner)s
UNION ALL
SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc
WHERE pronamespace = to_regnamespace(quote_ident(%(name)s)) AND pg_get_userbyid(proowner) <> %(owner)s
"""
# Also what PUBLIC or a membership gives; an extension's views are its own affair.
ELSEWHERE = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND has_schema_privilege(%(name)s, relnamespace, 'USAGE')
    AND relnamespace <> ALL (ARRAY['pg_catalog', 'information_schema', quote_ident(%(name)s)]::regnamespace[])
    AND CASE relkind WHEN 'S' THEN has_sequence_privilege(%(name)s, oid, 'SELECT, USAGE')
        ELSE has_any_column_privilege(%(name)s, oid, 'SELECT, INSERT, UPDATE') END
    AND oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e')
ORDER BY 1 LIMIT 5
"""
# Rights that are not inherited are had by SET ROLE all the same.
MEMBERSHIPS = """
SELECT pg_get_userbyid(roleid)::text FROM pg_auth_members
WHERE member = (SELECT oid FROM pg_roles WHERE rolname = %(name)s) ORDER BY 1
"""

MOST_SESSIONS = 10
LONGEST_IDLE = "10min"  # in a transaction: what it has read cannot be cleaned up meanwhile


class RoleRefused(Exception):
    """The client's role cannot be made, or dropped, as it was asked for."""


def name_for(client: Client, wished: str | None) -> str:
    """The name of the client's role and schema: what it has, what was wished, or `client_` and its own name.

    Raises RoleRefused where the client has another, or where the name is taken.
    """
    entered = ClientSchema.objects.filter(client=client).first()
    if entered is not None:
        if wished not in (None, entered.name):
            raise RoleRefused(f"{client} has the role {entered.name} already: drop it first.")
        return entered.name
    name = wished or _slug(client)
    if len(name.encode()) > 63 or "$" in name:
        raise RoleRefused("A role's name has at most 63 bytes, and no $ in it.")
    if _rows(TAKEN, {"name": name}):
        raise RoleRefused(f"There is a role or a schema {name} already: choose another with --name.")
    return name


def statements(client: Client, name: str, password: str | None) -> list[str]:
    """SQL that makes the role, its schema and its rights, but not its views; the password only as its hash.

    For one transaction, by a superuser or by a role with CREATEROLE that may act for the tables' owner.
    """
    return [part.as_string(connection.connection) for part in _statements(client, name, password)]


@transaction.atomic
def make(client: Client, name: str, password: str | None, actor: str) -> None:
    """Make or mend the role, its schema and its views. Raises RoleRefused, with nothing changed."""
    with connection.cursor() as cursor:
        for statement in statements(client, name, password):
            cursor.execute(statement)
    make_client_views(client.pk)
    if elsewhere := [relation for (relation,) in _rows(ELSEWHERE, {"name": name})]:
        raise RoleRefused(
            f"{name} could read more than its own schema, by PUBLIC or another role: {', '.join(elsewhere)}."
        )
    if others := [role for (role,) in _rows(MEMBERSHIPS, {"name": name})]:
        raise RoleRefused(f"{name} may act as {', '.join(others)}: revoke that, then run this again.")
    told = {"client": client.name, "role": name, "new password": bool(password)}
    record(actor, "client_role", detail=told, clients=[client.pk])


@transaction.atomic
def drop(client: Client, actor: str) -> str:
    """Drop the client's role with its schema; answers its name. Raises RoleRefused where there is none."""
    entered = ClientSchema.objects.filter(client=client).first()
    if entered is None:
        raise RoleRefused(f"{client} has no role.")
    name, database = sql.Identifier(entered.name), sql.Identifier(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(name))
        if _exists(entered.name):
            cursor.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(database, name))
            cursor.execute(sql.SQL("DROP ROLE {}").format(name))
    entered.delete()
    told = {"client": client.name, "role": entered.name}
    record(actor, "drop_client_role", detail=told, clients=[client.pk])
    return entered.name


def new_password() -> str:
    """A random password: 192 bits."""
    return secrets.token_urlsafe(24)


def _statements(client: Client, name: str, password: str | None) -> Iterator[sql.Composed]:
    connection.ensure_connection()
    role, database = sql.Identifier(name), sql.Identifier(connection.settings_dict["NAME"])
    ((owner,),) = _rows(OWNER, {})
    if not _exists(name):
        yield sql.SQL("CREATE ROLE {} LOGIN CONNECTION LIMIT {}").format(role, MOST_SESSIONS)
    if password is not None:
        # The server's log may keep the statement: it is given the hash.
        hashed = connection.connection.pgconn.encrypt_password(
            password.encode(), name.encode(), b"scram-sha-256"
        )
        yield sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, hashed.decode())
    for setting, value in (
        ("search_path", role),
        ("default_transaction_read_only", sql.SQL("on")),
        ("idle_in_transaction_session_timeout", sql.Literal(LONGEST_IDLE)),
    ):
        yield sql.SQL("ALTER ROLE {} IN DATABASE {} SET {} = {}").format(
            role, database, sql.SQL(setting), value
        )
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role)
    yield sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(role, sql.Identifier(owner))
    yield sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(role, sql.Identifier(owner))
    for kind, thing in _rows(FOREIGN, {"name": name, "owner": owner}):
        # The catalog quotes the name as SQL wants it.
        yield sql.SQL("ALTER {} {} OWNER TO {}").format(sql.SQL(kind), sql.SQL(thing), sql.Identifier(owner))
    yield sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(role)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(role, role)
    yield ENTER.format(client.pk, name)
    yield from kept_for_loading()


def _slug(client: Client) -> str:
    ((slug,),) = _rows("SELECT ingestion_slug(%(name)s, %(id)s)", {"name": client.name, "id": str(client.pk)})
    return f"client_{slug}"[:63]


def _exists(name: str) -> bool:
    return bool(_rows("SELECT FROM pg_roles WHERE rolname = %(name)s", {"name": name}))


def _rows(statement: str, parameters: dict[str, str]) -> list[tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
