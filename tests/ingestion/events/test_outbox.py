"""Each kind of event occurs once, in the real pipeline, with the fact it tells."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ingestion import tasks
from ingestion.access.check import run_access_check
from ingestion.events import facts, outbox
from ingestion.models import ClientConnection, Delivery, Event, LoadAttempt, SourceFile
from ingestion.publish import publish
from ingestion.reruns import retry
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.policies import trust_policy
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.kcx.situations import a_connection, a_delivery, a_discovery, a_file, an_export, deliveries_every

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

EXPORT = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
MARCH = date(2026, 3, 1)
IN_MARCH = datetime(2026, 3, 20, 12, tzinfo=UTC)
IN_APRIL = datetime(2026, 4, 3, 12, tzinfo=UTC)
ROOT = "arn:aws:iam::999900001111:root"


def part(*values: str) -> bytes:
    return csv_gz("identity/LineItemId,lineItem/v\n" + "".join(f"id,{value}\n" for value in values))


def sweep_twice() -> None:
    tasks.sweep()
    tasks.sweep()


def happened() -> list[str]:
    return list(Event.objects.order_by("id").values_list("kind", flat=True))


def the(kind: str) -> Event:
    return Event.objects.get(kind=kind)


def refuse_kcx(client: ClientUnderTest) -> None:
    client.account.set_trust(trust_policy(ROOT, "another"))


def let_kcx_in(client: ClientUnderTest) -> None:
    client.account.set_trust(trust_policy(ROOT, client.connection.external_id))


def test_a_published_delivery_is_told_once(client_under_test: ClientUnderTest) -> None:
    BillingService(client_under_test.account).deliver(EXPORT, MARCH, [part("1"), part("2", "3")], at=IN_MARCH)
    client_under_test.ingest()
    sweep_twice()
    client_under_test.ingest()
    assert happened() == ["delivery.published"]
    event, delivery = the("delivery.published"), Delivery.objects.get()
    assert (event.client, event.connection) == (
        client_under_test.connection.client,
        client_under_test.connection,
    )
    assert event.payload["billing_period"] == "2026-03"
    assert (event.payload["files"], event.payload["rows"]) == (2, 3)
    assert event.payload["delivery"]["id"] == delivery.pk
    assert datetime.fromisoformat(event.payload["published_at"]) == delivery.published_at


def test_a_finished_month_that_is_delivered_again_is_restated(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(EXPORT, MARCH, [part("1")], at=IN_MARCH)
    client_under_test.ingest()
    service.deliver(EXPORT, MARCH, [part("2")], at=IN_MARCH + timedelta(hours=8))
    client_under_test.ingest()
    assert happened() == ["delivery.published"] * 2, "the month was not over"
    service.deliver(EXPORT, MARCH, [part("2", "3")], at=IN_APRIL)
    client_under_test.ingest()
    assert happened()[2:] == ["delivery.published", "month.restated"]
    sweep_twice()
    assert happened()[4:] == ["delivery.late"], "by the clock of today"
    told = the("month.restated").payload
    assert told["before"]["delivered_at"] == "2026-03-20T20:00:00.000000Z"
    assert (told["changes"]["rows_before"], told["changes"]["rows_after"]) == (1, 2)


def test_a_finished_month_that_comes_again_unchanged_is_not_restated(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    for hours in (0, 8):
        service.deliver(EXPORT, MARCH, [part("1")], at=IN_APRIL + timedelta(hours=hours))
        client_under_test.ingest()
    assert happened() == ["delivery.published"] * 2


def test_a_file_that_fails_for_good_is_told_once_a_try_and_its_delivery_once(
    client_under_test: ClientUnderTest,
) -> None:
    ragged = csv_gz("identity/LineItemId,lineItem/v\nragged\n")
    BillingService(client_under_test.account).deliver(EXPORT, MARCH, [ragged], at=IN_MARCH)
    client_under_test.ingest()
    sweep_twice()
    assert happened() == ["file.failed", "delivery.incomplete"]
    file = SourceFile.objects.get()
    assert the("file.failed").payload["error"]["code"] == "ragged_row"
    assert the("file.failed").payload["file"]["key"] == file.key
    assert "ragged_row" in the("delivery.incomplete").payload["reason"]
    retry(SourceFile.objects.all(), "Olga", "again")
    client_under_test.load_all()
    sweep_twice()
    assert happened() == ["file.failed", "delivery.incomplete", "file.failed"]


@pytest.mark.parametrize(
    "code", ["internal_error", "database_error", "database_not_ready", "database_unavailable"]
)
def test_messages_that_may_hold_anything_stay_inside(raw_database: None, code: str) -> None:
    file = a_file(an_export(a_connection()), "FAILED", error_code=code, error_message="row: 1,2,secret")
    facts.file_failed(file, LoadAttempt.objects.create(source_file=file, actor="a", worker="w"))
    assert "secret" not in str(the("file.failed").payload)


def test_a_file_that_will_be_tried_again_is_no_event(client_under_test: ClientUnderTest) -> None:
    BillingService(client_under_test.account).deliver(EXPORT, MARCH, [part("1")], at=IN_MARCH)
    client_under_test.discover()
    client_under_test.account.put_object(SourceFile.objects.get().key, part("9"))
    (attempt,) = client_under_test.load_all()
    assert attempt.error_code == "object_changed"
    assert happened() == []


def test_a_delivery_that_lacks_a_file_is_incomplete_once(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    pending = service.write_data(EXPORT, MARCH, [part("1"), part("2")], at=IN_MARCH)
    service.write_manifest(pending, at=IN_MARCH + timedelta(minutes=1))
    client_under_test.account.delete_object(pending.data_keys[0])
    client_under_test.discover()
    sweep_twice()
    assert happened() == ["delivery.incomplete"]
    assert the("delivery.incomplete").payload["reason"].startswith("1 of 2 listed files are missing")


def test_what_aws_is_writing_just_now_is_told_only_if_it_stays_so(raw_database: None) -> None:
    delivery = a_delivery(an_export(a_connection()), "INCOMPLETE")
    reason = "Data newer than its manifest, AWS is delivering: a"
    Delivery.objects.update(reason=reason, listed_keys=None)
    sweep_twice()
    assert happened() == []
    Delivery.objects.filter(pk=delivery.pk).update(first_seen_at=timezone.now() - timedelta(hours=3))
    sweep_twice()
    assert happened() == ["delivery.incomplete"]


@pytest.mark.parametrize("decision", ["IGNORE", "AWAITING"])
def test_exports_that_are_not_loaded_are_nobodys_loss(raw_database: None, decision: str) -> None:
    export = an_export(a_connection(), decision=decision)
    a_delivery(export, "INCOMPLETE", period=MARCH)
    Delivery.objects.update(listed_keys=None)
    deliveries_every(export, hours=8, count=5, last=30)
    sweep_twice()
    assert happened() == []


def test_a_late_delivery_is_told_once_until_the_next_one_is_late(raw_database: None) -> None:
    connection = a_connection()
    export = an_export(connection)
    deliveries_every(export, hours=8, count=5, last=30)
    ClientConnection.objects.update(last_discovered_at=timezone.now() - timedelta(hours=29))
    sweep_twice()
    assert happened() == [], "KCX has not looked since"
    ClientConnection.objects.update(last_discovered_at=timezone.now())
    sweep_twice()
    assert happened() == ["delivery.late"]
    told = the("delivery.late").payload
    late_by = datetime.fromisoformat(told["expected_at"]) - datetime.fromisoformat(told["last_delivered_at"])
    assert late_by == timedelta(hours=8)
    a_delivery(export, "SUPERSEDED", at=timezone.now() - timedelta(hours=20))
    sweep_twice()
    assert happened() == ["delivery.late", "delivery.late"]


def test_nothing_is_late_where_the_client_is_disabled(raw_database: None) -> None:
    connection = a_connection()
    deliveries_every(an_export(connection), hours=8, count=5, last=30)
    connection.client.enabled = False
    connection.client.save()
    sweep_twice()
    assert happened() == []


def test_access_that_is_lost_is_told_once_and_again_when_it_is_lost_again(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.discover()
    for _ in range(2):
        refuse_kcx(client_under_test)
        client_under_test.discover()
        a_discovery(client_under_test.connection, "worker_crashed")  # which says nothing about access
        client_under_test.discover()
        let_kcx_in(client_under_test)
        client_under_test.discover()
    assert happened() == ["access.lost"] * 2
    told = Event.objects.order_by("id")[0].payload
    assert told["error"]["code"] == "assume_role_denied"
    assert told["found_by"].startswith("discovery ")


def test_a_check_that_finds_access_lost_tells_it_and_the_discovery_after_it_does_not(
    client_under_test: ClientUnderTest, settings: Any
) -> None:
    settings.KCX_IAM_SECONDS = 0
    pk = client_under_test.connection.pk
    run_access_check(pk, "test")
    refuse_kcx(client_under_test)
    run_access_check(pk, "test")
    client_under_test.discover()
    run_access_check(pk, "test")
    assert happened() == ["access.lost"]
    assert the("access.lost").payload["found_by"].startswith("check ")


def test_what_was_never_promised_is_not_lost(aws: SimulatedAws, raw_database: None, settings: Any) -> None:
    settings.KCX_IAM_SECONDS = 0
    client = new_client(aws, enable=False)
    refuse_kcx(client)
    client.discover()
    run_access_check(client.connection.pk, "test")
    assert happened() == []


def test_the_same_fact_is_written_once(raw_database: None) -> None:
    connection = a_connection()
    for data in ({"a": 1}, {"a": 2}):
        outbox.record(Event.Kind.ACCESS_LOST, "check 1", connection, data)
    assert Event.objects.get().payload["a"] == 1


def test_a_fact_that_is_rolled_back_leaves_no_event(client_under_test: ClientUnderTest) -> None:
    BillingService(client_under_test.account).deliver(EXPORT, MARCH, [part("1")], at=IN_MARCH)
    client_under_test.discover()
    SourceFile.objects.get()
    refused = (
        "CREATE FUNCTION refuse_receipt() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no' ; END $$;"
        "CREATE TRIGGER refuse_receipt BEFORE INSERT ON ingestion_event"
        " FOR EACH ROW EXECUTE FUNCTION refuse_receipt()"
    )
    with connection.cursor() as cursor:
        cursor.execute(refused)
    try:
        with pytest.raises(DatabaseError):
            client_under_test.load_all()
        assert Delivery.objects.get().status == "PENDING", "no fact without its event"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse_receipt() CASCADE")
    with transaction.atomic():
        assert publish(Delivery.objects.get().pk)
        transaction.set_rollback(True)
    assert happened() == [], "no event without its fact"
    tasks.sweep()
    assert happened() == ["delivery.published"]


@pytest.mark.parametrize("change", ["UPDATE ingestion_event SET kind = 'x'", "DELETE FROM ingestion_event"])
def test_events_are_never_changed(raw_database: None, change: str) -> None:
    outbox.record(Event.Kind.ACCESS_LOST, "check 1", a_connection(), {})
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(change)
