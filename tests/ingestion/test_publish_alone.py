"""Publishing: what stands in the way of one delivery stands in the way of no other."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection

from ingestion import tasks
from ingestion.models import Delivery
from ingestion.publish import publish, publish_pending
from tests.billing.raw_rows import second_session
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.registered import a_connection, a_delivery, a_scope, an_export, ingested

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("raw_database"),
]
SCOPE = "SELECT FROM ingestion_deliveryscope WHERE id = %s FOR UPDATE"
HEAD = "SELECT FROM ingestion_receiptchain WHERE connection_id = %s FOR UPDATE"


@pytest.fixture(autouse=True)
def impatient(raw_database: None) -> Iterator[None]:
    """A session that waits as long for a lock as a test should."""
    execute("SET lock_timeout = '100ms'")
    yield
    execute("RESET lock_timeout")


def of_another_client(minute: int) -> Delivery:
    """Complete, and delivered at its minute."""
    scope = a_scope(an_export(a_connection()))
    return a_delivery(scope, ingested(scope.export), minute=minute)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@contextmanager
def locked(statement: str, *ids: int) -> Iterator[None]:
    """Another session holds these rows."""
    with second_session() as other:
        for pk in ids:
            other.execute(statement, [pk])
        yield


def statuses() -> list[str]:
    return list(Delivery.objects.order_by("delivered_at").values_list("status", flat=True))


def test_a_scope_that_somebody_keeps_locked_keeps_no_other_client_from_being_published() -> None:
    stuck, _ = of_another_client(0), of_another_client(1)
    with locked(SCOPE, stuck.scope_id), pytest.raises(ExceptionGroup) as raised:
        tasks.sweep()
    assert statuses() == ["PENDING", "CURRENT"]
    assert [type(error) for error in raised.value.exceptions] == [OperationalError], "and the sweep says so"
    tasks.sweep()
    assert statuses() == ["CURRENT", "CURRENT"]


def test_receipts_that_somebody_keeps_locked_keep_no_other_client_from_being_published() -> None:
    stuck, _ = of_another_client(0), of_another_client(2)
    publish(stuck.pk)
    a_delivery(stuck.scope, ingested(stuck.scope.export), minute=1, snapshot="newer")
    with locked(HEAD, stuck.scope.export.connection_id), pytest.raises(OperationalError):
        publish_pending(Delivery.objects.all())
    assert statuses() == ["CURRENT", "PENDING", "CURRENT"], "and the newer one is published as a whole or not"
    assert publish_pending(Delivery.objects.all()) == 1


def test_all_that_stood_in_the_way_is_told_together() -> None:
    stuck, also = of_another_client(0), of_another_client(1)
    of_another_client(2)
    with locked(SCOPE, stuck.scope_id, also.scope_id), pytest.raises(ExceptionGroup) as raised:
        publish_pending(Delivery.objects.all())
    assert len(raised.value.exceptions) == 2
    assert statuses() == ["PENDING", "PENDING", "CURRENT"]


def test_a_session_that_is_lost_is_told_at_once() -> None:
    # Whoever publishes holds a lock of the session, so that one does at a time: a new one has it no more.
    deliveries = [of_another_client(minute) for minute in range(3)]
    asked = []

    def kill(delivery: Delivery) -> bool:
        asked.append(delivery)
        with second_session(autocommit=True) as other, connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            other.execute("SELECT pg_terminate_backend(%s, 10000)", cursor.fetchone())
        return True

    with pytest.raises(OperationalError):
        publish_pending(Delivery.objects.all(), kill)
    assert asked == deliveries[:1]
    assert publish_pending(Delivery.objects.all()) == 3


def test_a_command_tells_in_a_sentence_what_stood_in_the_way_of_several(
    client_under_test: ClientUnderTest,
) -> None:
    client = client_under_test
    for name in ("one", "two"):
        client.account.put_object(f"exports/lines/{name}.csv.gz", csv_gz("a\n1\n"))
    client.ingest()
    Delivery.objects.update(status="PENDING", published_at=None)
    scopes = Delivery.objects.values_list("scope", flat=True)
    with (
        locked(SCOPE, *scopes),
        pytest.raises(CommandError, match="PostgreSQL cannot be asked: 2 deliveries"),
    ):
        call_command("discover", "--connection", str(client.connection.pk))
