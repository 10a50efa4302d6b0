"""A client's database role: it reads its own rows by the stable names, and nothing of anybody else."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction, UndefinedTable

from ingestion import export_views, tasks
from ingestion.models import ClientConnection, ClientSchema, Export, ExportView, StaffAction
from ingestion.onboarding import onboard
from kcx.client_roles import MOST_SESSIONS, drop
from kcx.public_rights import are_open, kept_for_loading
from kcx.simulated_aws.server import SimulatedAws
from tests.billing.raw_rows import one, second_session
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.ingestion.registered import NOON, an_export, ingested
from tests.roles import PASSWORD, roles_set_up, run, session_of
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

Session = psycopg.Connection[tuple[object, ...]]
STABLE = [
    "billing_deliveries",
    "billing_deliveries_never_current",
    "billing_delivery_files",
    "billing_export_columns",
    "billing_export_views",
    "billing_files",
    "billing_rows_all",
    "billing_rows_current",
    "billing_rows_published",
]
KEY = "exports/lines/one.csv.gz"


@dataclass(frozen=True)
class Two:
    """Two clients with rows, and the role of the first."""

    own: ClientUnderTest
    other: ClientUnderTest
    role: str

    @property
    def own_view(self) -> str:
        return ExportView.objects.get(export__connection=self.own.connection).name


def put(client: ClientUnderTest, text: str, minute: int = 0) -> None:
    client.account.put_object(KEY, csv_gz(text), at=NOON + timedelta(minutes=minute))


def view_of(export: Export) -> str:
    return ExportView.objects.get(export=export).name


def closing(work: Callable[[int], None], number: int) -> None:
    """In a thread, whose session of the database ends with it."""
    try:
        work(number)
    finally:
        connection.close()


def command(client: ClientUnderTest, *arguments: str) -> str:
    out = io.StringIO()
    call_command("client_role", str(client.connection.client_id), *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def two(aws: SimulatedAws, raw_database: None, tmp_path: Path) -> Iterator[Two]:
    own, other = new_client(aws), new_client(aws)
    for client, word in ((own, "mine"), (other, "theirs")):
        for minute in (0, 5):
            put(client, f"{word}Column,n\n{word}{minute},1\n", minute)
            client.ingest()
    # Roles belong to the whole server: each test database has one of its own.
    role = f"{connection.settings_dict['NAME']} client"
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    assert PASSWORD not in command(own, "--name", role, "--password-file", str(file))
    yield Two(own, other, role)
    if ClientSchema.objects.filter(client=own.connection.client_id).exists():
        drop(own.connection.client, "test")


@pytest.fixture
def session(two: Two) -> Iterator[Session]:
    with session_of(two.role) as session:
        yield session


def count(session: Session, what: str) -> object:
    return session.execute(f"SELECT count(*) FROM {what}").fetchall()[0][0]


def relations_of(session: Session) -> list[str]:
    found = session.execute(
        "SELECT relname FROM pg_class"
        " WHERE relnamespace = quote_ident(current_schema())::regnamespace ORDER BY relname"
    )
    return [str(name) for (name,) in found]


def test_the_role_has_the_stable_views_and_those_of_its_exports(two: Two, session: Session) -> None:
    assert relations_of(session) == sorted([*STABLE, two.own_view, f"{two.own_view}_all"])
    assert count(session, "billing_rows_all") == count(session, "billing_rows_published") == 2
    assert session.execute('SELECT "values" FROM billing_rows_current').fetchall() == [(["mine5", "1"],)]
    assert session.execute(f'SELECT "mineColumn" FROM {two.own_view}').fetchall() == [("mine5",)]
    assert count(session, "billing_files") == count(session, "billing_deliveries") == 2
    value = "SELECT billing_value(columns, \"values\", 'mineColumn') FROM billing_rows_current"
    assert session.execute(value).fetchall() == [("mine5",)]


def test_the_role_reads_what_was_current_at_a_moment(two: Two, session: Session) -> None:
    first = two.own.connection.files.earliest("id").deliveries.get()
    as_of = 'SELECT "values"[1] FROM billing_rows_as_of(%s)'
    assert session.execute(as_of, [first.published_at]).fetchall() == [("mine0",)]
    assert session.execute(as_of, [first.superseded_at]).fetchall() == [("mine5",)]
    assert session.execute(as_of, [first.published_at - timedelta(hours=1)]).fetchall() == []


def test_no_view_shows_anything_of_another_client(two: Two, session: Session) -> None:
    whose = {two.own.connection.pk}
    for view in STABLE:
        found = session.execute(f"SELECT connection_id, t::text FROM {view} t").fetchall()
        assert {number for number, _ in found} <= whose
        assert "theirs" not in str(found)
        assert two.other.connection.client.name not in str(found)


def make_leak(role: str, session: Session) -> None:
    """A function of the reader's that tells what it is shown: on a managed server it may make one."""
    database = sql.Identifier(connection.settings_dict["NAME"])
    run(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(database, sql.Identifier(role)))
    session.execute(
        "CREATE FUNCTION pg_temp.leak(anyelement) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS"
        " $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"
    )


def test_a_function_that_tells_what_it_is_shown_is_shown_nothing_of_another_client(
    two: Two, session: Session
) -> None:
    told: list[str] = []
    session.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    session.execute("SET default_transaction_read_only = off")
    # With an index the planner would find the client's own first.
    session.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
    make_leak(two.role, session)
    for view in relations_of(session):
        for (name,) in session.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [view]
        ).fetchall():
            session.execute(f'SELECT count(*) FROM {view} WHERE pg_temp.leak("{name}")')
    session.execute(
        "SELECT count(*) FROM billing_rows_as_of(now()) WHERE pg_temp.leak(connection) AND pg_temp.leak(data)"
    )
    other = two.other
    files = {str(pk) for pk in other.connection.files.values_list("pk", flat=True)}
    assert any("mine5" in text for text in told)
    assert two.own.connection.name in told
    assert not {text for text in told if "theirs" in text}
    assert not {other.connection.name, other.connection.client.name, other.file(KEY).etag} & set(told)
    shown = session.execute("SELECT source_file_id::text FROM billing_files").fetchall()
    assert not files & {text for (text,) in shown}


def test_a_barrier_is_what_keeps_them_from_it(two: Two, session: Session) -> None:
    """Else the test above would prove nothing: without it the same function sees the other's registry."""
    told: list[str] = []
    session.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    session.execute("SET default_transaction_read_only = off")
    # With an index the planner would find the client's own first.
    session.execute("SET enable_indexscan = off; SET enable_bitmapscan = off")
    make_leak(two.role, session)
    with connection.cursor() as cursor:
        cursor.execute(f'ALTER VIEW "{two.role}".billing_files RESET (security_barrier)')
    session.execute("SELECT count(*) FROM billing_files WHERE pg_temp.leak(source_etag)")
    assert two.other.file(KEY).etag in told


def test_nothing_outside_its_schema_can_be_read_or_called(two: Two, session: Session) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v')"
        )
        tables = [name for (name,) in cursor.fetchall()]
    assert {"billing_rawrow", "ingestion_sourcefile", f"{two.own_view}"} <= set(tables)
    for table in tables:
        with pytest.raises(InsufficientPrivilege):
            session.execute(f"SELECT FROM public.{table}")
    for call in (
        f"ingestion_make_client_views({two.own.connection.client_id})",
        f"ingestion_export_query({ExportView.objects.latest('pk').pk}, true)",
        f"billing_purge_connection({two.other.connection.pk})",
    ):
        with pytest.raises(InsufficientPrivilege):
            session.execute(f"SELECT public.{call}")
    with pytest.raises(InsufficientPrivilege):
        session.execute("SELECT pg_read_file('postgresql.conf')")


def test_the_statistics_tell_nothing_of_the_rows(two: Two, session: Session) -> None:
    run(sql.SQL("ANALYZE"))
    others = "SELECT * FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    assert session.execute(others).fetchall() == []
    with pytest.raises(InsufficientPrivilege):
        session.execute("SELECT * FROM pg_statistic")


def test_the_role_changes_nothing(two: Two, session: Session) -> None:
    with pytest.raises(ReadOnlySqlTransaction):
        session.execute("CREATE TABLE mine (a int)")
    session.execute("SET default_transaction_read_only = off")
    for change in (
        "CREATE TABLE mine (a int)",
        "CREATE TABLE public.mine (a int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "DROP VIEW billing_files",
        "ALTER VIEW billing_files RESET (security_barrier)",
        "DELETE FROM billing_files",
        f'SET ROLE "{connection.settings_dict.get("USER") or "postgres"}"',
    ):
        with pytest.raises((InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            session.execute(change)


def test_a_new_connection_and_a_new_column_come_by_themselves(two: Two, aws: SimulatedAws) -> None:
    client = two.own.connection.client
    onboard(client.name, {"bucket": "second-bucket", "role_arn": ""}, None)
    second = ClientConnection.objects.get(client=client, bucket="second-bucket")
    put(two.own, "mineColumn,n,late\nmine9,1,x\n", 9)
    two.own.ingest()
    with session_of(two.role) as session:
        assert session.execute(f'SELECT late FROM "{two.own_view}"').fetchall() == [("x",)]
    tasks.sweep()
    assert ClientSchema.objects.get(client=client).connections == [two.own.connection.pk, second.pk]
    with session_of(two.role) as session:
        assert count(session, "billing_rows_current") == 1
    other = ClientSchema.objects.filter(client=two.other.connection.client_id)
    assert not other.exists()


def test_a_view_made_while_its_clients_were_being_made_is_noticed_by_the_sweep(two: Two) -> None:
    first, late = an_export(two.own.connection), an_export(two.own.connection)
    file = ingested(first)
    for entered in (file, ingested(late)):
        export_views.enter_layout(entered)
    with second_session() as reader, ThreadPoolExecutor(1) as pool:
        reader.execute(f'SELECT FROM "{two.role}".billing_rows_published')
        waiting = pool.submit(closing, export_views.refresh_of_file, file.pk)
        until(
            lambda: one("SELECT count(*) FROM pg_locks WHERE NOT granted") == (1,), "it waits for the reader"
        )
        # Another worker, which then dies.
        one("SELECT ingestion_make_export_view(%s)", late.pk)
        reader.rollback()
        waiting.result()
    with session_of(two.role) as session:
        assert view_of(first) in relations_of(session)
        assert view_of(late) not in relations_of(session)
    assert (export_views.still_stale(), export_views.refresh_stale(), export_views.still_stale()) == (1, 1, 0)
    with session_of(two.role) as session:
        assert {view_of(late), f"{view_of(late)}_all"} <= set(relations_of(session))


def test_a_connection_that_is_anothers_now_is_not_read_by_the_former_clients_role(
    two: Two, session: Session
) -> None:
    view, client = two.own_view, two.own.connection.client_id
    assert count(session, view) == 1
    switched = "ALTER TABLE ingestion_clientconnection {} TRIGGER ingestion_frozen"
    with transaction.atomic():  # as only the tables' owner can
        run(sql.SQL(switched).format(sql.SQL("DISABLE")))
        ClientConnection.objects.filter(client=client).update(client=two.other.connection.client)
        run(sql.SQL("SET CONSTRAINTS ALL IMMEDIATE"))
        run(sql.SQL(switched).format(sql.SQL("ENABLE ALWAYS")))
    assert export_views.still_stale() == 1
    tasks.sweep()
    for name in (view, f"{view}_all"):
        with pytest.raises((InsufficientPrivilege, UndefinedTable)):
            session.execute(f"SELECT FROM {name}")
    assert relations_of(session) == STABLE
    assert {count(session, name) for name in STABLE} == {0}
    assert export_views.still_stale() == 0


def test_a_view_that_is_nobodys_is_noticed_and_dropped(two: Two) -> None:
    run(sql.SQL("CREATE VIEW {} AS SELECT 1 AS one").format(sql.Identifier(two.role, "left_over")))
    assert (export_views.refresh_stale(), export_views.still_stale()) == (1, 0)
    with session_of(two.role) as session:
        assert "left_over" not in relations_of(session)


@pytest.mark.parametrize("view", ["billing_files", "billing_rows_current"])
def test_a_stable_view_that_was_dropped_is_made_again(two: Two, view: str) -> None:
    run(sql.SQL("DROP VIEW {}").format(sql.Identifier(two.role, view)))
    assert export_views.refresh_stale() == 1
    with session_of(two.role) as session:
        assert view in relations_of(session)


def test_views_of_before_a_column_came_get_it_with_the_sweep(two: Two) -> None:
    """As an upgrade leaves them: what is there stays readable, and the sweep makes it anew."""
    before = (
        "client, connection, connection_id, export, family, billing_period, delivery, source_key,"
        ' source_etag, source_file_id, row_number, columns, "values", data'
    )
    rows, published, as_of = (
        sql.Identifier(two.role, name)
        for name in ("billing_rows_all", "billing_rows_published", "billing_rows_as_of")
    )
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(before), published)
    function = "CREATE FUNCTION {}(moment timestamptz) RETURNS SETOF {} LANGUAGE sql STABLE AS $f$ {} $f$"
    run(sql.SQL("DROP VIEW {} CASCADE").format(rows))
    run(sql.SQL("CREATE VIEW {} AS {}").format(rows, query))
    run(sql.SQL(function).format(as_of, rows, query))
    export = two.own.file(KEY).export_id
    assert (export_views.refresh_stale(), export_views.still_stale()) == (1, 0)
    with session_of(two.role) as session:
        for rows_of in ("billing_rows_all", "billing_rows_current", "billing_rows_as_of(now())"):
            assert session.execute(f"SELECT DISTINCT export_id FROM {rows_of}").fetchall() == [(export,)]


def test_comments_teach_in_the_clients_schema_too(two: Two, session: Session) -> None:
    without = session.execute(
        "SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE relnamespace = quote_ident(current_schema())::regnamespace AND attnum > 0"
        " AND (coalesce(col_description(attrelid, attnum), '') = ''"
        " OR obj_description(c.oid, 'pg_class') IS NULL)"
    ).fetchall()
    assert without == []


def test_a_password_is_shown_once_and_only_its_hash_is_sent(aws: SimulatedAws, raw_database: None) -> None:
    client = new_client(aws)
    name = f"{connection.settings_dict['NAME']}_shown"
    try:
        shown = command(client, "--name", name)
        (line,) = [line for line in shown.splitlines() if "password" in line]
        password = line.rpartition(" ")[2]
        assert len(password) >= 32
        assert "password" not in command(client)
        action = StaffAction.objects.latest("id")
        assert (action.action, password in str(action.detail)) == ("client_role", False)
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name])
            assert str(cursor.fetchone()).startswith("('SCRAM-SHA-256$")
        assert password not in command(client, "--new-password")
        with pytest.raises(CommandError, match="drop it first"):
            command(client, "--name", "another")
    finally:
        assert command(client, "--drop").startswith(name)
    with pytest.raises(CommandError, match="has no role"):
        command(client, "--drop")


def test_a_role_that_exists_already_is_not_taken_over(two: Two) -> None:
    for name in (two.role, "public"):
        with pytest.raises(CommandError, match="already"):
            command(two.other, "--name", name)


def test_a_role_that_would_see_more_is_refused_and_nothing_is_left(two: Two) -> None:
    name = f"{connection.settings_dict['NAME']}_more"
    with connection.cursor() as cursor:
        cursor.execute("GRANT SELECT (key) ON ingestion_sourcefile TO PUBLIC")
    try:
        with pytest.raises(CommandError, match="ingestion_sourcefile"):
            command(two.other, "--name", name)
    finally:
        run(sql.SQL("REVOKE ALL (key) ON ingestion_sourcefile FROM PUBLIC"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [name])
        assert cursor.fetchone() is None


@pytest.mark.parametrize("how", ["NOINHERIT", "INHERIT"])
def test_a_role_that_may_act_as_another_is_refused(two: Two, how: str) -> None:
    other = f"{connection.settings_dict['NAME']} another"
    run(sql.SQL("CREATE ROLE {}").format(sql.Identifier(other)))
    try:
        run(sql.SQL("ALTER ROLE {} {}").format(sql.Identifier(two.role), sql.SQL(how)))
        run(sql.SQL("GRANT {} TO {}").format(sql.Identifier(other), sql.Identifier(two.role)))
        with pytest.raises(CommandError, match=f"may act as {other}"):
            command(two.own)
    finally:
        run(sql.SQL("DROP ROLE {}").format(sql.Identifier(other)))
    command(two.own)


def test_the_printed_sql_makes_the_same(two: Two, aws: SimulatedAws) -> None:
    client = two.other
    name = f"{connection.settings_dict['NAME']}_printed"
    script = command(client, "--name", name, "--print-sql")
    assert not ClientSchema.objects.filter(client=client.connection.client_id).exists()
    with connection.cursor() as cursor:
        cursor.execute(script.partition("-- Then")[0])
    try:
        run(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(name), PASSWORD))
        with session_of(name) as session:
            assert session.execute('SELECT "values" FROM billing_rows_current').fetchall() == [
                (["theirs5", "1"],)
            ]
    finally:
        drop(client.connection.client, "test")


def test_roles_set_up_later_take_the_clients_schema_over(two: Two) -> None:
    with roles_set_up(" later") as roles:
        command(two.own)
        with session_of(roles.loader) as loader:
            loader.execute("SELECT ingestion_make_client_views(%s)", [two.own.connection.client_id])
            for table in ("ingestion_clientschema", "ingestion_exportview"):
                with pytest.raises(InsufficientPrivilege):
                    loader.execute(f"UPDATE {table} SET name = 'public'")
            with pytest.raises(InsufficientPrivilege):
                loader.execute(f'SELECT FROM "{two.role}".billing_files')
        with session_of(roles.reader) as reader, session_of(two.role) as session:
            assert count(reader, two.own_view) == count(session, two.own_view) == 1
    command(two.own)


def test_the_role_cannot_hold_the_locks_that_kcx_waits_for(two: Two, session: Session) -> None:
    for call in ("pg_advisory_lock(1)", "pg_try_advisory_lock(1, 2)", "pg_advisory_xact_lock_shared(1)"):
        with pytest.raises(InsufficientPrivilege):
            session.execute(f"SELECT {call}")
    with (
        roles_set_up(" locks") as roles,
        session_of(roles.loader) as loader,
        session_of(roles.reader) as reader,
    ):
        assert loader.execute("SELECT pg_try_advisory_lock(1, 2)").fetchall() == [(True,)]
        with pytest.raises(InsufficientPrivilege):
            reader.execute("SELECT pg_try_advisory_lock(1, 2)")
        command(two.own)
        assert loader.execute("SELECT pg_try_advisory_lock(1, 3)").fetchall() == [(True,)]


def test_the_role_cannot_fill_the_disk(two: Two, session: Session) -> None:
    session.execute("SET default_transaction_read_only = off")
    for filling in (
        "CREATE TEMP TABLE mine AS SELECT 1",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_create(0)",
        "SELECT lo_creat(-1)",
        f'CREATE TABLE "{two.role}".mine ()',
    ):
        with pytest.raises(InsufficientPrivilege):
            session.execute(filling)
    with roles_set_up(" temporary") as roles:
        for role in (roles.loader, roles.reader):
            with session_of(role) as other:
                other.execute("CREATE TEMP TABLE mine AS SELECT 1")


def test_only_a_superuser_takes_the_locks_from_everybody(two: Two) -> None:
    maker = sql.Identifier(f"{connection.settings_dict['NAME']} maker")
    function = sql.SQL("pg_catalog.pg_advisory_lock(bigint)")
    with transaction.atomic():
        run(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO PUBLIC").format(function))
        run(sql.SQL("CREATE ROLE {}").format(maker))
        run(sql.SQL("SET LOCAL ROLE {}").format(maker))
        assert (list(kept_for_loading()), are_open()) == ([], True)
        transaction.set_rollback(True)
    assert not are_open()


def test_the_role_has_few_sessions_and_none_that_stays_in_a_transaction(two: Two, session: Session) -> None:
    assert one("SELECT rolconnlimit FROM pg_roles WHERE rolname = %s", two.role) == (MOST_SESSIONS,)
    shown = session.execute("SHOW idle_in_transaction_session_timeout").fetchall()
    assert shown == [("10min",)]


def test_a_role_that_somebody_dropped_leaves_nothing_behind(two: Two) -> None:
    run(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(two.role)))
    run(sql.SQL("DROP ROLE {}").format(sql.Identifier(two.role)))
    assert "is dropped" in command(two.own, "--drop")
    assert one("SELECT count(*) FROM pg_namespace WHERE nspname = %s", two.role) == (0,)


def test_a_new_password_is_made_whatever_the_environment_holds(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KCX_CLIENT_PASSWORD", "of the environment")
    assert "shown this once" not in command(two.own)
    assert "shown this once" in command(two.own, "--new-password")


def test_a_client_named_like_the_id_of_another_is_not_taken_for_it(two: Two) -> None:
    client = two.other.connection.client
    client.name = str(two.own.connection.client_id)
    client.save()
    with pytest.raises(CommandError, match="another with this name"):
        command(two.own, "--print-sql")


def test_a_name_that_would_end_the_text_of_a_function_is_refused(two: Two) -> None:
    with pytest.raises(CommandError, match=r"no \$ in it"):
        command(two.other, "--name", "client$f$")
