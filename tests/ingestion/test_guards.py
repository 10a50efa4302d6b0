"""History stays, whatever a session sets, truncates or puts beside KCX's tables."""

import pytest
from django.db import DatabaseError, connection, transaction

from ingestion.models import AccessCheck, DiscoveryRun, LoadAttempt, ReceiptChain, SourceFile
from ingestion.staff_actions import record
from tests.ingestion.registered import a_connection, a_delivery, a_file, a_scope, an_export

pytestmark = pytest.mark.django_db
KEPT = ["sourcefile", "delivery", "loadattempt", "discoveryrun", "accesscheck", "staffaction", "receiptchain"]
CLOSED = ["loadattempt", "discoveryrun", "accesscheck", "staffaction"]


@pytest.fixture
def file() -> SourceFile:
    """A registered file, and a row of every table that is kept."""
    export = an_export(a_connection())
    file, now = a_file(export), export.connection.created_at
    a_delivery(a_scope(export), file)
    LoadAttempt.objects.create(source_file=file, actor="t", worker="w", outcome="SUCCEEDED", ended_at=now)
    for model in (DiscoveryRun, AccessCheck):
        outcome = model.Outcome.values[1]
        model.objects.create(connection=export.connection, actor="t", outcome=outcome, ended_at=now)
    record("anna", "skip", source_file=file)
    ReceiptChain.objects.create(connection=export.connection)
    return file


def refused(*statements: str) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(statements))
    return str(caught.value)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("table", KEPT)
def test_history_is_not_deleted_by_any_kind_of_session(table: str, role: str) -> None:
    why = refused(f"SET LOCAL session_replication_role = {role}", f"DELETE FROM ingestion_{table}")
    assert f"the history in ingestion_{table} is never deleted" in why


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("table", KEPT)
def test_history_is_not_truncated(table: str) -> None:
    # Switched off while tests run: they end by emptying every table.
    guard = f"ALTER TABLE ingestion_{table} ENABLE ALWAYS TRIGGER ingestion_no_truncate"
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(guard)
        why = refused("SET LOCAL session_replication_role = replica", f"TRUNCATE ingestion_{table} CASCADE")
        transaction.set_rollback(True)
    assert f"ingestion_{table} is append-only: TRUNCATE refused" in why


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("table", CLOSED)
def test_what_is_closed_is_not_rewritten_by_a_replicating_session(table: str) -> None:
    why = refused("SET LOCAL session_replication_role = replica", f"UPDATE ingestion_{table} SET actor = 'x'")
    assert f"the history in ingestion_{table} is never changed" in why


def test_every_trigger_function_looks_at_kcxs_own_schema_and_at_a_sessions_own_tables_last() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname, proconfig FROM pg_proc"
            " WHERE prorettype = 'trigger'::regtype AND proname ~ '^(billing|ingestion)_'"
        )
        paths = {name: settings or [] for name, settings in cursor.fetchall()}
    assert len(paths) > 5
    assert {name: path for name, path in paths.items() if "search_path=public, pg_temp" not in path} == {}


def test_a_replicating_session_does_not_unfreeze_a_connection(file: SourceFile) -> None:
    why = refused(
        "SET LOCAL session_replication_role = replica",
        f"UPDATE ingestion_clientconnection SET bucket = 'another' WHERE id = {file.connection_id}",
    )
    assert "frozen" in why


def test_a_sessions_own_table_does_not_unfreeze_a_connection(file: SourceFile) -> None:
    why = refused(
        "CREATE TEMP TABLE ingestion_sourcefile (connection_id bigint) ON COMMIT DROP",
        f"UPDATE ingestion_clientconnection SET bucket = 'another' WHERE id = {file.connection_id}",
    )
    assert "are frozen: it has files" in why
