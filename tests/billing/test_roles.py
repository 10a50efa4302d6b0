"""The loader adds rows and can change none; the reader reads what it should and nothing else."""

from collections.abc import Iterator

import psycopg
import pytest
from django.apps import apps
from django.db import connection
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from billing.models import RawRow
from billing.partitions import create_partition
from kcx.catalog import relations
from kcx.roles import READ, ROWS, Roles, UnsafeRole, apply, statements
from tests.billing.raw_rows import one, store
from tests.roles import roles_set_up, run, session_of

pytestmark = [pytest.mark.django_db(transaction=True)]

Session = psycopg.Connection[tuple[object, ...]]
DENIED = "permission denied|must be owner"
UPSERT = (
    "INSERT INTO {} VALUES (7, 1, 1, '{{changed}}') ON CONFLICT (connection_id, source_file_id, row_number)"
    ' DO UPDATE SET "values" = excluded."values"'
)
CHANGES = [
    UPSERT,
    "UPDATE {} SET \"values\" = '{{changed}}'",
    "DELETE FROM {} WHERE source_file_id = 1",
    "TRUNCATE {}",
    "SELECT FROM {} FOR UPDATE",
    'ALTER TABLE {} DROP COLUMN "values"',
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} OWNER TO CURRENT_USER",
    "DROP TRIGGER billing_append_only ON {}",
    "CREATE TRIGGER mine BEFORE INSERT ON {} EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE mine AS ON INSERT TO {} DO INSTEAD NOTHING",
    "CREATE INDEX ON {} (row_number)",
    "DROP TABLE {}",
]


@pytest.fixture
def roles(raw_database: None) -> Iterator[Roles]:
    """The roles, made when one connection had rows already: two files."""
    create_partition(7)
    store(7, 1, [["a"], ["b"]])
    store(7, 2, [["c"]])
    with roles_set_up() as made:
        yield made


@pytest.fixture
def loader(roles: Roles) -> Iterator[Session]:
    """A session of the loader, which has made a second partition and put a file into it."""
    with session_of(roles.loader) as session:
        session.execute("SELECT billing_create_partition(8)")
        session.execute("INSERT INTO billing_rawrow_8 VALUES (8, 3, 1, '{d}')")
        yield session


@pytest.fixture
def reader(roles: Roles) -> Iterator[Session]:
    with session_of(roles.reader) as session:
        yield session


def stored() -> list[str | None]:
    return [row.values[0] for row in RawRow.objects.order_by("source_file_id", "row_number")]


def count(session: Session, table: str) -> object:
    (row,) = session.execute(f"SELECT count(*) FROM {table}").fetchall()
    return row[0]


@pytest.mark.parametrize("table", ["billing_rawrow", "billing_rawrow_7", "billing_rawrow_8"])
@pytest.mark.parametrize("bypass", [None, "kcx.replace_file = '1'", "kcx.purge_connection = '7'"])
def test_the_loader_cannot_change_what_is_stored(loader: Session, table: str, bypass: str | None) -> None:
    if bypass:
        loader.execute(f"SET {bypass}")
    for change in CHANGES:
        with pytest.raises(InsufficientPrivilege, match=DENIED):
            loader.execute(change.format(table))
    assert stored() == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "ALTER TABLE billing_rawrow DETACH PARTITION billing_rawrow_7",
        "ALTER FUNCTION billing_refuse_change() RENAME TO gone",
        "CREATE OR REPLACE FUNCTION billing_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "SELECT billing_guard('billing_rawrow_7')",
        "CREATE FUNCTION format(text, bigint) RETURNS text LANGUAGE sql AS 'SELECT $1'",
        "CREATE TABLE billing_rawrow_9 (a int)",
        "CREATE SCHEMA mine",
    ],
)
def test_the_loader_cannot_take_the_guards_away_or_put_something_beside_them(
    loader: Session, statement: str
) -> None:
    with pytest.raises(InsufficientPrivilege):
        loader.execute(statement)


def test_the_loader_cannot_become_the_owner(loader: Session, roles: Roles) -> None:
    with pytest.raises(InsufficientPrivilege):
        loader.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(roles.owner)))


@pytest.mark.parametrize("bypass", ["kcx.replace_file = '1'", "kcx.purge_connection = '7'"])
def test_a_loader_that_was_given_too_much_by_mistake_is_refused_by_the_triggers(
    loader: Session, roles: Roles, bypass: str
) -> None:
    mistake = sql.SQL("GRANT DELETE, TRUNCATE ON billing_rawrow, billing_rawrow_7 TO {}")
    run(mistake.format(sql.Identifier(roles.loader)))
    loader.execute(f"SET {bypass}")
    for change in ("DELETE FROM {} WHERE source_file_id = 1", "TRUNCATE {}"):
        for table in ("billing_rawrow", "billing_rawrow_7"):
            with pytest.raises(InsufficientPrivilege, match="append-only"):
                loader.execute(change.format(table))
    assert stored() == ["a", "b", "c", "d"]


def test_the_loader_replaces_one_file(loader: Session) -> None:
    assert loader.execute("SELECT billing_replace_file(7, 1)").fetchall() == [(2,)]
    loader.execute("INSERT INTO billing_rawrow_7 VALUES (7, 1, 1, '{new}')")
    assert stored() == ["new", "c", "d"]


def test_what_the_loader_replaced_comes_back_with_its_transaction(loader: Session) -> None:
    with loader.transaction(force_rollback=True):
        loader.execute("SELECT billing_replace_file(7, 1)")
    assert stored() == ["a", "b", "c", "d"]


def test_a_file_is_not_replaced_by_way_of_another_connection(loader: Session) -> None:
    assert loader.execute("SELECT billing_replace_file(8, 1)").fetchall() == [(0,)]
    assert stored() == ["a", "b", "c", "d"]


@pytest.mark.parametrize("function", ["billing_purge_connection", "ingestion_purge_connection"])
def test_the_loader_purges_no_connection_without_a_receipt(loader: Session, function: str) -> None:
    with pytest.raises(InsufficientPrivilege, match=r"permission denied|not marked as purged"):
        loader.execute(f"SELECT {function}(7)")
    assert stored() == ["a", "b", "c", "d"]


def test_the_loader_refreshes_statistics(loader: Session) -> None:
    loader.execute("SELECT billing_analyze()")
    assert one("SELECT reltuples FROM pg_class WHERE relname = 'billing_rawrow'") == (4,)


def test_a_new_partition_is_the_owners_and_has_the_rights_of_the_parent(
    loader: Session, roles: Roles
) -> None:
    assert rights("billing_rawrow_8") == rights("billing_rawrow_7") == rights("billing_rawrow")
    assert rights("billing_rawrow_8") == {
        (roles.loader, "INSERT"),
        (roles.loader, "SELECT"),
        (roles.reader, "SELECT"),
    }


def rights(table: str) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT grantee::regrole::text, privilege_type FROM pg_class, aclexplode(relacl)"
            " WHERE relname = %s AND grantee <> relowner",
            [table],
        )
        return {(grantee.strip('"'), privilege) for grantee, privilege in cursor.fetchall()}


def test_a_new_partition_does_not_take_over_what_the_parent_gives_by_mistake(
    loader: Session, roles: Roles
) -> None:
    run(sql.SQL("GRANT DELETE ON billing_rawrow TO {}").format(sql.Identifier(roles.loader)))
    loader.execute("SELECT billing_create_partition(9)")
    assert (roles.loader, "DELETE") not in rights("billing_rawrow_9")


@pytest.mark.parametrize("path", ["pg_temp, public", "pg_temp, pg_catalog", "public", "''"])
def test_the_owners_functions_do_not_mistake_a_sessions_own_tables_for_the_rows(
    loader: Session, path: str
) -> None:
    for table in ("billing_rawrow", "billing_rawrow_7", "billing_rawrow_9"):
        loader.execute(f"CREATE TEMP TABLE {table} (LIKE public.billing_rawrow)")
    loader.execute("INSERT INTO pg_temp.billing_rawrow_7 VALUES (7, 1, 1, '{mine}')")
    loader.execute("CREATE FUNCTION pg_temp.format(text, bigint) RETURNS text LANGUAGE sql AS 'SELECT $1'")
    loader.execute(
        "CREATE FUNCTION pg_temp.billing_guard(regclass) RETURNS void LANGUAGE sql AS 'SELECT NULL::void'"
    )
    loader.execute(f"SET search_path = {path}")
    loader.execute("SELECT public.billing_create_partition(9)")
    assert loader.execute("SELECT public.billing_replace_file(7, 1)").fetchall() == [(2,)]
    loader.execute("CREATE TEMP TABLE ingestion_clientconnection AS SELECT 8 AS id, now() AS purged_at")
    loader.execute(
        "CREATE TEMP TABLE ingestion_receipt AS"
        " SELECT 8 AS connection_id, 'PURGE' AS kind, now() AS created_at, 1 AS sequence"
    )
    with pytest.raises(InsufficientPrivilege, match="not marked as purged"):
        loader.execute("SELECT public.ingestion_purge_connection(8)")
    loader.execute("SELECT public.billing_analyze()")

    assert stored() == ["c", "d"]
    assert count(loader, "pg_temp.billing_rawrow_7") == 1
    guards = "SELECT count(*) FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A'"
    assert one(guards, "public.billing_rawrow_9") == one(guards, "public.billing_rawrow_7") == (2,)


def test_the_reader_reads_rows_layouts_the_registry_and_the_views(reader: Session) -> None:
    assert count(reader, "billing_rawrow") == count(reader, "billing_rawrow_7") == 3
    views = {relation.name for relation in relations() if relation.is_view}
    assert {"billing_rows_all", "billing_rows_current", "billing_deliveries_never_current"} <= views
    for name in READ | views | {"billing_rows_as_of(now())"}:
        assert count(reader, name) == 0


def test_the_reader_reads_no_queue_no_login_and_no_session(reader: Session) -> None:
    closed = {relation.name for relation in relations() if not relation.is_view} - READ
    closed = {name for name in closed if not name.startswith(ROWS)}
    assert {"auth_user", "django_session", "django_q_ormq", "django_q_task", "django_q_schedule"} <= closed
    for name in closed:
        with pytest.raises(InsufficientPrivilege):
            count(reader, name)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO billing_rawrow VALUES (7, 9, 1, '{a}')",
        "INSERT INTO billing_rawrow_7 VALUES (7, 9, 1, '{a}')",
        "DELETE FROM billing_rawrow_7",
        "DELETE FROM billing_rows_all",
        "UPDATE ingestion_client SET name = ''",
        "SELECT billing_create_partition(9)",
        "SELECT billing_replace_file(7, 1)",
        "SELECT ingestion_purge_connection(7)",
        "SELECT billing_analyze()",
    ],
)
def test_the_reader_changes_nothing(reader: Session, statement: str) -> None:
    with pytest.raises((InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
        reader.execute(statement)


@pytest.mark.usefixtures("raw_database")
def test_nobody_may_call_what_changes_rows_until_it_is_granted() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE proname LIKE 'billing_%'"
            " AND has_function_privilege('pg_monitor', oid, 'EXECUTE')"  # a role KCX grants nothing
        )
        open_to_all = {name for (name,) in cursor.fetchall()}
    assert open_to_all == {"billing_value", "billing_rows_as_of"}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ingestion_loadattempt",
        "TRUNCATE ingestion_loadattempt",
        "UPDATE ingestion_loadattempt SET actor = 'nobody'",
        "UPDATE ingestion_discoveryrun SET started_at = now()",
        "DELETE FROM ingestion_sourcefile",
        "TRUNCATE ingestion_sourcefile CASCADE",
        "UPDATE billing_columnlayout SET names = '{}'",
        "DELETE FROM billing_columnlayout",
        "DELETE FROM django_admin_log",
        "UPDATE django_admin_log SET change_message = ''",
        "DELETE FROM django_migrations",
        "DELETE FROM api_token",
        "UPDATE api_token SET expiry = now()",
        "DELETE FROM api_serviceuser",
    ],
)
def test_the_loader_takes_nothing_back_from_the_history(loader: Session, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege, match="permission denied"):
        loader.execute(statement)


def test_the_loader_makes_and_revokes_tokens(loader: Session) -> None:
    loader.execute(
        "INSERT INTO api_serviceuser (name, scope, enabled, created_at) VALUES ('p', 'ALL', true, now())"
    )
    loader.execute(
        "INSERT INTO api_token (digest, token_key, user_id, created, expiry, made_by)"
        " SELECT 'd', 'k', id, now(), now(), 'chief' FROM api_serviceuser"
    )
    assert loader.execute("UPDATE api_token SET revoked_at = now()").rowcount == 1


def test_every_table_of_the_product_belongs_to_the_owner(roles: Roles) -> None:
    owners = {relation.name: relation.owner for relation in relations()}
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    assert tables <= owners.keys()
    assert set(owners.values()) == {roles.owner}


def test_a_second_run_changes_nothing_but_what_somebody_else_granted(roles: Roles) -> None:
    loader = sql.Identifier(roles.loader)
    again = statements(roles)
    assert [line for line in again if line.startswith(("CREATE", "ALTER"))] == []
    run(sql.SQL("GRANT DELETE ON billing_rawrow, billing_rawrow_7 TO {}").format(loader))
    run(sql.SQL('GRANT UPDATE ("values") ON billing_rawrow_7 TO {}').format(loader))
    run(sql.SQL("GRANT EXECUTE ON FUNCTION billing_purge_connection(bigint) TO {}").format(loader))
    apply(roles)
    assert statements(roles) == again
    purges = "SELECT has_function_privilege(%s, 'billing_purge_connection(bigint)', 'EXECUTE')"
    assert one(purges, roles.loader) == (False,)
    assert one("SELECT has_table_privilege(%s, 'billing_rawrow_7', 'DELETE')", roles.loader) == (False,)
    assert one("SELECT has_any_column_privilege(%s, 'billing_rawrow_7', 'UPDATE')", roles.loader) == (False,)


def test_a_loader_with_rights_from_elsewhere_is_refused(roles: Roles) -> None:
    run(sql.SQL("GRANT {} TO {}").format(sql.Identifier(roles.owner), sql.Identifier(roles.reader)))
    with pytest.raises(UnsafeRole, match=f"{roles.reader} could change billing_rawrow"):
        apply(roles)


@pytest.mark.parametrize(
    ("right", "table"),
    [
        ("DELETE", "billing_rawrow_7"),
        ("TRIGGER", "billing_rawrow"),
        ("TRUNCATE", "ingestion_receipt"),
        ("UPDATE (body)", "ingestion_receipt"),
    ],
)
def test_a_loader_with_a_right_by_way_of_a_group_is_refused(roles: Roles, right: str, table: str) -> None:
    group = sql.Identifier(f"{roles.loader}_group")
    run(sql.SQL("CREATE ROLE {}").format(group))
    try:
        run(sql.SQL(f"GRANT {right} ON {table} TO {{}}").format(group))
        run(sql.SQL("GRANT {} TO {}").format(group, sql.Identifier(roles.loader)))
        with pytest.raises(UnsafeRole, match=f"{roles.loader} could change {table}:"):
            apply(roles)
    finally:
        run(sql.SQL("DROP OWNED BY {}").format(group))
        run(sql.SQL("DROP ROLE {}").format(group))


def test_names_that_need_quotes_are_quoted(raw_database: None) -> None:
    with roles_set_up(' "of" % {Us}') as roles, session_of(roles.loader) as loader:
        loader.execute("SELECT billing_create_partition(9)")
        loader.execute("INSERT INTO billing_rawrow_9 VALUES (9, 1, 1, '{a}')")
        with session_of(roles.reader) as reader:
            assert count(reader, "billing_rawrow_9") == 1
