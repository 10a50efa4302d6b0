"""Raw rows are append-only: by the parent and by every partition, whatever the session's role."""

import pytest
from django.db import ProgrammingError, connection, transaction

from billing.models import RawRow
from billing.partitions import create_partition
from billing.write import delete_rows
from tests.billing.raw_rows import store

pytestmark = pytest.mark.django_db(transaction=True)

CONNECTION, NEIGHBOUR = 7, 8
UPDATE = "UPDATE {} SET \"values\" = '{{changed}}'"
UPSERT = (
    "INSERT INTO {} VALUES (7, 1, 1, '{{changed}}') ON CONFLICT (connection_id, source_file_id, row_number)"
    ' DO UPDATE SET "values" = excluded."values"'
)
MERGE = (
    "MERGE INTO {} raw USING (SELECT 7 AS id) wanted ON raw.connection_id = wanted.id"
    " WHEN MATCHED THEN DELETE"
)
DELETE = "DELETE FROM {}"
TRUNCATE = "TRUNCATE {}"


@pytest.fixture(autouse=True)
def rows(raw_database: None) -> None:
    """Two files of one connection, and a file of its neighbour."""
    for connection_id in (CONNECTION, NEIGHBOUR):
        create_partition(connection_id)
    store(CONNECTION, 1, [["a"], ["b"]])
    store(CONNECTION, 2, [["c"]])
    store(NEIGHBOUR, 3, [["d"]])


def transact(*statements: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def refused(*statements: str) -> str:
    """Why the transaction was refused; nothing that was stored has changed."""
    before = stored()
    with pytest.raises(ProgrammingError, match="raw billing rows are append-only") as caught:
        transact(*statements)
    assert stored() == before
    return str(caught.value)


def stored() -> list[str | None]:
    return [row.values[0] for row in RawRow.objects.order_by("source_file_id", "row_number")]


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("table", ["billing_rawrow", "billing_rawrow_7", "billing_rawrow_8"])
@pytest.mark.parametrize("change", [UPDATE, UPSERT, MERGE, DELETE, TRUNCATE])
def test_no_statement_changes_what_is_stored(role: str, table: str, change: str) -> None:
    # A restoring or replicating session skips ordinary triggers; these are ENABLE ALWAYS.
    why = refused(f"SET LOCAL session_replication_role = {role}", change.format(table))
    assert f"on {table} refused" in why


@pytest.mark.parametrize("role", ["origin", "replica"])
@pytest.mark.parametrize("table", ["billing_rawrow", "billing_rawrow_7"])
def test_naming_one_file_does_not_give_away_another(role: str, table: str) -> None:
    why = refused(
        f"SET LOCAL session_replication_role = {role}",
        "SET LOCAL kcx.replace_file = '1'",
        f"DELETE FROM {table} WHERE source_file_id IN (1, 2)",
    )
    assert "DELETE on billing_rawrow_7 refused" in why


@pytest.mark.parametrize("change", [UPDATE, UPSERT, TRUNCATE])
def test_naming_a_file_allows_nothing_but_delete(change: str) -> None:
    refused("SET LOCAL kcx.replace_file = '1'", change.format("billing_rawrow_7"))


def test_a_file_that_is_replaced_is_deleted_alone() -> None:
    with transaction.atomic():
        assert delete_rows(CONNECTION, 1) == 2
    assert stored() == ["c", "d"]


def test_deleting_one_file_leaves_its_transaction_no_right_to_delete_more() -> None:
    def replace_and_delete() -> None:
        delete_rows(CONNECTION, 1)
        store(CONNECTION, 1, [["new"]])
        transact("DELETE FROM billing_rawrow WHERE source_file_id = 1")

    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic():
        replace_and_delete()
    assert stored() == ["a", "b", "c", "d"]


def test_a_connection_that_is_purged_loses_its_own_rows_only() -> None:
    purge = "SET LOCAL kcx.purge_connection = '7'"
    assert "DELETE on billing_rawrow_8 refused" in refused(purge, "DELETE FROM billing_rawrow")
    transact(purge, "DELETE FROM billing_rawrow WHERE connection_id = 7")
    assert stored() == ["d"]


@pytest.mark.parametrize(
    "table", ["billing_rawrow", "billing_rawrow_8", "billing_rawrow_7, billing_rawrow_8"]
)
def test_naming_one_connection_does_not_allow_another_to_be_truncated(table: str) -> None:
    refused("SET LOCAL kcx.purge_connection = '7'", TRUNCATE.format(table))


@pytest.mark.parametrize("bypass", ["kcx.replace_file = '1'", "kcx.purge_connection = '7'"])
def test_a_bypass_ends_with_its_transaction(bypass: str) -> None:
    transact(f"SET LOCAL {bypass}")
    refused("DELETE FROM billing_rawrow WHERE source_file_id = 1")
