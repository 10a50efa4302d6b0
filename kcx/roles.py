"""The three database roles of a real server: who owns, who loads, who reads; and the SQL that says so."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection, transaction
from psycopg import sql

from kcx.catalog import Relation, Routine, Server, changeable, relations, routines, server
from kcx.public_rights import kept_for_loading

ROWS = "billing_rawrow"
SIGNATURES = (
    "billing_create_partition(bigint)",
    "billing_replace_file(bigint,bigint)",
    "billing_analyze()",
    "ingestion_enter_layout(bigint,bigint)",
    "ingestion_make_client_views(bigint)",
    "ingestion_make_export_view(bigint)",
    "ingestion_purge_connection(bigint)",
)
# Written by migrations, by functions of the owner's and by the administrator only.
FIXED = {
    *("django_migrations", "django_content_type", "auth_permission"),
    *(
        "ingestion_exportview",
        "ingestion_exportviewcolumn",
        "ingestion_exportviewlayout",
        "ingestion_clientschema",
    ),
}
# What the audit said first; the loader may write the rest, to close what it began.
NEVER_REWRITTEN = {
    "ingestion_loadattempt": {"id", "source_file_id", "actor", "worker", "is_reload", "started_at"},
    "ingestion_discoveryrun": {"id", "connection_id", "actor", "started_at"},
    "ingestion_accesscheck": {"id", "connection_id", "actor", "started_at"},
    "ingestion_awsuse": {"id", "connection_id", "run", "actor", "subject", "started_at"},
    "axes_accesslog": {
        *("id", "user_agent", "ip_address", "username", "http_accept", "path_info", "attempt_time"),
        "session_hash",
    },
    "api_serviceuser": {"id", "created_at"},
    "api_token": {"digest", "token_key", "user_id", "created", "expiry", "made_by"},
    "ingestion_webhookmessage": {"id", "event_id", "endpoint_id"},
}
APPEND_ONLY = {
    "ingestion_event",
    "ingestion_receipt",
    "ingestion_staffaction",
    "ingestion_verification",
    "ingestion_webhookdelivery",
}
# No history: a worker removes the rows of workers long gone, and of wishes that are fulfilled.
FORGOTTEN = {"ingestion_worker", "ingestion_verificationrequest"}
# By name: a new table is closed to readers until it is entered here.
READ = {
    "billing_columnlayout",
    "ingestion_accesscheck",
    "ingestion_awsuse",
    "ingestion_client",
    "ingestion_clientconnection",
    "ingestion_delivery",
    "ingestion_deliveryfile",
    "ingestion_deliveryscope",
    "ingestion_discoveryrun",
    "ingestion_event",
    "ingestion_export",
    "ingestion_exportcolumn",
    "ingestion_exportview",
    "ingestion_exportviewcolumn",
    "ingestion_exportviewlayout",
    "ingestion_loadattempt",
    "ingestion_receipt",
    "ingestion_receiptchain",
    "ingestion_sourcefile",
    "ingestion_verification",
}


class UnsafeRole(Exception):
    """A role that should load or read has, from elsewhere, the right to change raw rows or receipts."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the three roles."""

    owner: str
    loader: str
    reader: str

    @classmethod
    def named(cls, prefix: str) -> "Roles":
        """`<prefix>_owner`, `<prefix>_loader` and `<prefix>_reader`."""
        return cls(f"{prefix}_owner", f"{prefix}_loader", f"{prefix}_reader")


def statements(roles: Roles) -> list[str]:
    """SQL that makes the roles and their rights what they should be, from what the database holds now.

    For one transaction, by a superuser or by a role with CREATEROLE that owns what KCX has so far.
    """
    found = server([roles.owner, roles.loader, roles.reader])
    parts = [*_existence(roles, found), *_schema(roles, found)]
    for relation in relations():
        parts += [*_ownership(roles, relation), *_rights(roles, relation)]
    for routine in routines():
        parts += _execution(roles, routine)
    parts += kept_for_loading(roles.owner, roles.loader)
    return [part.as_string(None) for part in parts]


@transaction.atomic
def apply(roles: Roles) -> int:
    """Run the statements; answers how many. Raises UnsafeRole, with nothing changed."""
    wanted = statements(roles)
    with connection.cursor() as cursor:
        for statement in wanted:
            cursor.execute(statement)
    guarded = [one.name for one in relations() if _holds_rows(one) or one.name in APPEND_ONLY]
    for role in (roles.loader, roles.reader):
        for table in changeable(role, guarded):
            raise UnsafeRole(f"{role} could change {table}: it is a superuser, or a member of a role.")
    return len(wanted)


def _existence(roles: Roles, found: Server) -> Iterator[sql.Composed]:
    for role in (roles.owner, roles.loader, roles.reader):
        if role not in found.roles:
            yield sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role))
    if not found.acts_for(roles.owner):  # ownership is only given to a role one may act for
        yield sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(roles.owner))


def _schema(roles: Roles, found: Server) -> Iterator[sql.Composed]:
    owner, loader, reader = (sql.Identifier(role) for role in (roles.owner, roles.loader, roles.reader))
    database, schema = sql.Identifier(found.database), sql.Identifier(found.schema)
    yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}, {}").format(database, owner, loader, reader)
    # Tools of people's make them; from everybody else the right is taken below.
    yield sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, reader)
    yield sql.SQL("SET LOCAL search_path = {}").format(schema)
    # Whoever can create functions beside the owner's could have them called in the owner's name.
    yield sql.SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC, {}, {}").format(schema, loader, reader)
    yield sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(schema, loader, reader)
    yield sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(schema, owner)


def _ownership(roles: Roles, relation: Relation) -> Iterator[sql.Composed]:
    if relation.owner != roles.owner:
        yield sql.SQL("ALTER {} {} OWNER TO {}").format(
            sql.SQL("VIEW" if relation.is_view else "TABLE"),
            sql.Identifier(relation.name),
            sql.Identifier(roles.owner),
        )


def _rights(roles: Roles, relation: Relation) -> Iterator[sql.Composed]:
    table, loader, reader = (sql.Identifier(name) for name in (relation.name, roles.loader, roles.reader))
    yield sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}, {}").format(table, loader, reader)
    rights = sql.SQL(", ").join(loader_rights(relation))
    yield sql.SQL("GRANT {} ON {} TO {}").format(rights, table, loader)
    if relation.is_view or relation.name in READ or _holds_rows(relation):
        yield sql.SQL("GRANT SELECT ON {} TO {}").format(table, reader)


def loader_rights(relation: Relation) -> list[sql.Composable]:
    """What the loader may do with a table or view, as GRANT takes it."""
    if relation.is_view or relation.name in FIXED:
        return [sql.SQL("SELECT")]
    rights: list[sql.Composable] = [sql.SQL("SELECT"), sql.SQL("INSERT")]
    if relation.name in APPEND_ONLY:
        return rights
    if relation.name in NEVER_REWRITTEN:
        kept = NEVER_REWRITTEN[relation.name]
        columns = [sql.Identifier(column) for column in relation.columns if column not in kept]
        return [*rights, sql.SQL("UPDATE ({})").format(sql.SQL(", ").join(columns))]
    if not relation.name.startswith("billing_") and relation.name != "django_admin_log":
        rights.append(sql.SQL("UPDATE"))
        if not relation.name.startswith("ingestion_") or relation.name in FORGOTTEN:
            rights.append(sql.SQL("DELETE"))
    return rights


def _holds_rows(relation: Relation) -> bool:
    return relation.name == ROWS or relation.name.startswith(f"{ROWS}_")


def _execution(roles: Roles, routine: Routine) -> Iterator[sql.Composed]:
    # The catalog quotes a signature as SQL wants it.
    signature = sql.SQL(routine.signature)
    if routine.owner != roles.owner:
        yield sql.SQL("ALTER FUNCTION {} OWNER TO {}").format(signature, sql.Identifier(roles.owner))
    loader, reader = sql.Identifier(roles.loader), sql.Identifier(roles.reader)
    yield sql.SQL("REVOKE ALL ON FUNCTION {} FROM {}, {}").format(signature, loader, reader)
    if routine.signature in SIGNATURES:
        yield sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(signature)
        yield sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(signature, loader)
