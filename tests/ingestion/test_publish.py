"""Publishing: one current delivery per scope, never half of one, never an older one after a newer."""

import gzip
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from ingestion import tasks
from ingestion.deliveries.by_folder import observe_folders
from ingestion.models import Delivery, DeliveryScope, Event, SourceFile
from ingestion.publish import publish, publish_of_file, publish_pending
from tests.billing.raw_rows import one, second_session
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.registered import (
    MARCH,
    NOON,
    a_connection,
    a_delivery,
    a_file,
    a_scope,
    an_export,
    become_ingested,
    ingested,
)
from tests.waiting import until

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("raw_database"),
]
KEY = "exports/lines/one.csv.gz"
MANY = 200
T = TypeVar("T")


@pytest.fixture
def scope(raw_database: None) -> DeliveryScope:
    return a_scope(an_export(a_connection()))


def statuses(scope: DeliveryScope) -> dict[str, str]:
    return dict(Delivery.objects.filter(scope=scope).values_list("snapshot_id", "status"))


def times(delivery: Delivery) -> tuple[datetime | None, datetime | None]:
    delivery.refresh_from_db()
    return delivery.published_at, delivery.superseded_at


def closing_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connection.close()


@contextmanager
def while_loading(file: SourceFile) -> Iterator[None]:
    """Another session holds the file's lock, as its load does."""
    with second_session() as loader:
        loader.execute("SELECT FROM ingestion_sourcefile WHERE id = %s FOR NO KEY UPDATE", [file.pk])
        yield
        loader.rollback()


@contextmanager
def while_waiting_for(scope: DeliveryScope, *work: Callable[[], bool]) -> Iterator[list[Future[bool]]]:
    """All of `work` runs in threads that wait for the scope's row; they go on when the block ends."""
    with ThreadPoolExecutor(len(work)) as pool, transaction.atomic():
        DeliveryScope.objects.select_for_update().get(pk=scope.pk)
        futures = [pool.submit(closing_connection, task) for task in work]
        wait_until_sessions_wait(len(work))
        yield futures


def wait_until_sessions_wait(count: int) -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with second_session(autocommit=True) as watcher:
        until(lambda: watcher.execute(waiting).rowcount == count, "every thread waits for the scope")


def test_a_delivery_becomes_current_once_all_its_files_are_ingested(scope: DeliveryScope) -> None:
    first, last = ingested(scope.export), a_file(scope.export)
    delivery = a_delivery(scope, first, last)
    assert not publish(delivery.pk)
    assert times(delivery) == (None, None)
    assert statuses(scope) == {"s": "PENDING"}

    become_ingested(last)
    assert publish(delivery.pk)
    assert statuses(scope) == {"s": "CURRENT"}
    assert times(delivery)[0] is not None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"status": "FAILED", "error_code": "corrupt_gzip"}, "failed for good (corrupt_gzip)"),
        ({"status": "SKIPPED", "skip_reason": "GONE"}, "Gone before load"),
    ],
)
def test_a_file_that_cannot_be_loaded_makes_its_delivery_incomplete_until_it_is(
    scope: DeliveryScope, fields: dict[str, str], reason: str
) -> None:
    bad = a_file(scope.export, **fields)
    delivery = a_delivery(scope, ingested(scope.export), bad)
    assert publish_of_file(bad.pk) == 0
    delivery.refresh_from_db()
    assert (delivery.status, delivery.published_at) == ("INCOMPLETE", None)
    assert reason in delivery.reason

    bad.error_code = bad.skip_reason = ""
    become_ingested(bad)
    assert publish_of_file(bad.pk) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.reason) == ("CURRENT", "")


def test_a_file_that_is_tried_again_by_itself_keeps_its_delivery_pending(scope: DeliveryScope) -> None:
    passing = {"status": "FAILED", "error_code": "aws_unavailable", "next_retry_at": NOON}
    file = a_file(scope.export, **passing)
    a_delivery(scope, file)
    assert publish_of_file(file.pk) == 0
    assert statuses(scope) == {"s": "PENDING"}


def test_a_delivery_waits_for_every_file_its_manifest_lists(scope: DeliveryScope) -> None:
    first, last = ingested(scope.export), ingested(scope.export)
    delivery = a_delivery(scope, first, listed_keys=[first.key, last.key])
    assert publish_of_file(first.pk) == 0
    assert not publish(delivery.pk)
    assert statuses(scope) == {"s": "PENDING"}
    delivery.files.add(last, through_defaults={"last_modified": NOON})
    assert publish_of_file(last.pk) == 1


def test_a_delivery_whose_manifest_has_changed_meanwhile_is_not_published(scope: DeliveryScope) -> None:
    a_delivery(scope, manifest_key="exports/m-Manifest.json")
    assert publish_pending(Delivery.objects.all(), lambda _delivery: False) == 0
    assert publish_pending(Delivery.objects.all()) == 0, "nobody says that it is unchanged"
    assert statuses(scope) == {"s": "PENDING"}
    assert publish_pending(Delivery.objects.all(), lambda _delivery: True) == 1


def test_a_delivery_of_a_period_supersedes_the_keys_of_the_same_export_and_period(
    scope: DeliveryScope,
) -> None:
    april = {"billing_period_start": date(2026, 4, 1)}
    same = DeliveryScope.objects.create(export=scope.export, key="a.csv", billing_period_start=MARCH)
    later = DeliveryScope.objects.create(export=scope.export, key="b.csv", **april)
    other = DeliveryScope.objects.create(
        export=an_export(scope.export.connection), key="a.csv", billing_period_start=MARCH
    )
    by_key = {each: a_delivery(each) for each in (same, later, other)}
    publish_pending(Delivery.objects.all())
    a_delivery(same, a_file(scope.export), minute=1, snapshot="open")
    whole = a_delivery(scope, minute=-5)
    assert publish(whole.pk)
    assert statuses(same) == {"s": "SUPERSEDED", "open": "SUPERSEDED"}
    assert times(by_key[same])[1] == times(whole)[0], "as_of() sees one of both at every moment"
    assert statuses(later) == statuses(other) == statuses(scope) == {"s": "CURRENT"}


def test_an_export_that_has_manifests_is_never_published_by_key_again(scope: DeliveryScope) -> None:
    by_key = DeliveryScope.objects.create(export=scope.export, key="a.csv", billing_period_start=MARCH)
    scope.export.has_manifests = True
    scope.export.save()
    a_delivery(by_key, ingested(scope.export))
    assert publish_pending(Delivery.objects.all()) == 0
    assert statuses(by_key) == {"s": "SUPERSEDED"}
    direct = a_delivery(by_key, minute=1, snapshot="direct")
    assert not publish(direct.pk)
    assert statuses(by_key)["direct"] == "SUPERSEDED"
    with CaptureQueriesContext(connection) as asked:
        publish_pending(Delivery.objects.all())
    assert len(asked) == 1, "what has ended is not looked at again"


def test_a_delivery_of_no_files_is_complete(scope: DeliveryScope) -> None:
    assert publish(a_delivery(scope).pk)
    assert statuses(scope) == {"s": "CURRENT"}


def test_a_newer_delivery_supersedes_the_current_one_in_the_same_moment(scope: DeliveryScope) -> None:
    file = ingested(scope.export)
    old, new = a_delivery(scope, file, snapshot="old"), a_delivery(scope, file, minute=1, snapshot="new")
    publish(old.pk)
    publish(new.pk)
    assert statuses(scope) == {"old": "SUPERSEDED", "new": "CURRENT"}
    assert times(old)[1] == times(new)[0], "as_of() sees one delivery at every moment"


def test_of_deliveries_of_one_moment_the_greater_snapshot_id_is_newer(scope: DeliveryScope) -> None:
    a, b = a_delivery(scope, snapshot="a"), a_delivery(scope, snapshot="b")
    assert publish(b.pk)
    assert not publish(a.pk)
    assert statuses(scope) == {"a": "SUPERSEDED", "b": "CURRENT"}


def test_an_older_delivery_that_completes_late_is_never_shown(scope: DeliveryScope) -> None:
    late = a_file(scope.export)
    old = a_delivery(scope, late, snapshot="old")
    new = a_delivery(scope, ingested(scope.export), minute=1, snapshot="new")
    publish(new.pk)
    become_ingested(late)
    assert publish_of_file(late.pk) == 0
    assert statuses(scope) == {"old": "SUPERSEDED", "new": "CURRENT"}
    published_at, superseded_at = times(old)
    assert published_at is None
    assert superseded_at is not None
    assert old.reason


def test_publishing_again_changes_nothing(scope: DeliveryScope) -> None:
    old, new = a_delivery(scope, snapshot="old"), a_delivery(scope, minute=1, snapshot="new")
    assert publish_pending(Delivery.objects.all()) == 2
    before = [times(old), times(new)]
    assert [publish(old.pk), publish(new.pk), publish(old.pk)] == [False] * 3
    assert publish_pending(Delivery.objects.all()) == 0
    assert [times(old), times(new)] == before


def test_scopes_are_published_apart() -> None:
    export = an_export(a_connection())
    march, a_key = a_scope(export), DeliveryScope.objects.create(export=export, key="exports/x.csv")
    publish_pending(Delivery.objects.filter(pk__in=[a_delivery(march).pk, a_delivery(a_key).pk]))
    assert statuses(march) == statuses(a_key) == {"s": "CURRENT"}


@pytest.mark.parametrize("newer_first", [True, False])
def test_two_threads_that_publish_at_once_leave_the_newer_current(
    scope: DeliveryScope, newer_first: bool
) -> None:
    old, new = a_delivery(scope, snapshot="old"), a_delivery(scope, minute=1, snapshot="new")
    work = [partial(publish, new.pk), partial(publish, old.pk)]
    with while_waiting_for(scope, *(work if newer_first else reversed(work))) as futures:
        pass
    assert any(future.result() for future in futures)
    assert statuses(scope) == {"old": "SUPERSEDED", "new": "CURRENT"}


def test_a_folder_found_while_the_one_before_is_published_leaves_that_one_current(
    raw_database: None,
) -> None:
    export = an_export(a_connection(), mode="create_new", without_manifests=True)
    scope = a_scope(export)
    old = a_delivery(scope, ingested(export), snapshot="old")
    folder = "exports/new/20260301-20260401/2026-03-05T12:00:00.000Z-new"
    a_file(export, key=f"{folder}/new-00001.csv.gz", last_modified=NOON + timedelta(minutes=1))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert publish(old.pk)
            future = pool.submit(closing_connection, partial(observe_folders, export.connection))
            wait_until_sessions_wait(1)
        future.result()
    published_at, superseded_at = times(old)
    assert (old.status, superseded_at) == ("CURRENT", None)
    assert published_at is not None
    assert Delivery.objects.exclude(pk=old.pk).get().status == "PENDING"


def test_two_threads_that_publish_one_delivery_publish_it_once(scope: DeliveryScope) -> None:
    delivery = a_delivery(scope, ingested(scope.export))
    with while_waiting_for(scope, *[partial(publish, delivery.pk)] * 2) as futures:
        pass
    assert sorted(future.result() for future in futures) == [False, True]


def test_a_file_that_is_ingested_while_the_scope_is_awaited_counts(scope: DeliveryScope) -> None:
    # Two workers load the last two files: the one that comes second must see the first one's.
    last = a_file(scope.export)
    delivery = a_delivery(scope, ingested(scope.export), last)
    with while_waiting_for(scope, partial(publish, delivery.pk)) as (future,):
        become_ingested(last)
    assert future.result() is True


def test_publishing_waits_for_the_scope_without_holding_a_delivery(scope: DeliveryScope) -> None:
    # With the delivery's row locked first, two workers could wait for one another.
    delivery = a_delivery(scope)
    with while_waiting_for(scope, partial(publish, delivery.pk)) as (future,), transaction.atomic():
        assert list(Delivery.objects.filter(pk=delivery.pk).select_for_update(nowait=True)) == [delivery]
    assert future.result() is True


def test_a_key_that_returns_to_an_earlier_version_is_current_again_without_a_load(
    client_under_test: ClientUnderTest,
) -> None:
    client = client_under_test
    for minute, text in enumerate(["a\nA\n", "a\nB\n", "a\nA\n"]):
        client.account.put_object(
            KEY, gzip.compress(text.encode(), mtime=0), at=NOON + timedelta(minutes=minute)
        )
        client.ingest()

    deliveries = Delivery.objects.order_by("delivered_at")
    assert [delivery.status for delivery in deliveries] == ["SUPERSEDED", "SUPERSEDED", "CURRENT"]
    held = [list(delivery.files.all()) for delivery in deliveries]
    assert held[0] == held[2] != held[1]
    assert SourceFile.objects.count() == 2
    assert held[2][0].attempts.count() == 1
    assert one('SELECT "values" FROM billing_rows_current') == (["A"],)


def put(client: ClientUnderTest, body: bytes, minute: int) -> None:
    client.account.put_object(KEY, body, at=NOON + timedelta(minutes=minute))


def test_a_version_that_could_not_be_loaded_ends_with_the_good_one_after_it(
    client_under_test: ClientUnderTest,
) -> None:
    put(client_under_test, csv_gz("a\n1\n")[:-9], 0)
    client_under_test.ingest()
    put(client_under_test, csv_gz("a\n2\n"), 1)
    client_under_test.ingest()
    assert [delivery.status for delivery in Delivery.objects.order_by("pk")] == ["SUPERSEDED", "CURRENT"]
    tasks.sweep()
    assert not Event.objects.filter(kind="delivery.incomplete").exists()


def test_a_version_replaced_before_its_load_is_no_alarm_while_the_next_one_waits(
    client_under_test: ClientUnderTest,
) -> None:
    for minute, text in enumerate(["a\n1\n", "a\n2\n"]):
        put(client_under_test, csv_gz(text), minute)
        client_under_test.discover()
    tasks.sweep()
    first, second = Delivery.objects.order_by("pk")
    assert (first.status, second.status) == ("PENDING", "PENDING")
    assert first.reason == f"Replaced before it was read: {KEY}"
    assert not Event.objects.filter(kind="delivery.incomplete").exists()
    client_under_test.load_all()
    assert [delivery.status for delivery in Delivery.objects.order_by("pk")] == ["SUPERSEDED", "CURRENT"]


def test_a_version_that_is_back_because_the_bad_one_after_it_was_deleted_is_shown(
    client_under_test: ClientUnderTest,
) -> None:
    # As where a version of a versioned object is deleted: the older one has its LastModified still.
    good = csv_gz("a\n1\n")
    put(client_under_test, good, 0)
    client_under_test.discover()
    put(client_under_test, good[:-9], 1)
    client_under_test.ingest()
    put(client_under_test, good, 0)
    client_under_test.ingest()
    assert one('SELECT "values" FROM billing_rows_current') == (["1"],)


def test_a_version_loaded_while_the_next_one_was_found_is_shown_until_that_one_is_loaded(
    client_under_test: ClientUnderTest,
) -> None:
    put(client_under_test, csv_gz("a\n1\n"), 0)
    client_under_test.discover()
    file = client_under_test.file(KEY)
    with while_loading(file):
        put(client_under_test, csv_gz("a\n2\n"), 1)
        client_under_test.discover()
    become_ingested(file)
    assert publish_of_file(file.pk) == 1
    client_under_test.load_all()
    assert [delivery.status for delivery in Delivery.objects.order_by("pk")] == ["SUPERSEDED", "CURRENT"]


def test_leftovers_of_a_key_whose_newer_version_is_current_end_with_the_next_sweep() -> None:
    export = an_export(a_connection())
    by_key = DeliveryScope.objects.create(export=export, key="a.csv")
    assert publish(a_delivery(by_key, ingested(export), minute=1, snapshot="new").pk)
    replaced = a_file(export, status="SKIPPED", skip_reason="REPLACED")
    a_delivery(by_key, replaced, snapshot="old", status="INCOMPLETE", reason="Replaced before it was read")
    tasks.sweep()
    assert statuses(by_key) == {"old": "SUPERSEDED", "new": "CURRENT"}
    assert not Event.objects.filter(kind="delivery.incomplete").exists()


def test_a_delivery_that_only_waits_for_a_retry_is_not_looked_at_again(scope: DeliveryScope) -> None:
    retried = a_file(scope.export, status="FAILED", error_code="aws_unavailable", next_retry_at=NOON)
    a_delivery(scope, retried)
    with CaptureQueriesContext(connection) as asked:
        publish_pending(Delivery.objects.all())
    assert len(asked) == 2, "which are open, and what their files are like; none is locked"


def test_a_listing_that_says_nothing_new_makes_no_delivery(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a\n1\n"))
    client_under_test.ingest()
    client_under_test.ingest()
    assert Delivery.objects.count() == 1


def many_deliveries(scope: DeliveryScope) -> None:
    """Of a file each that waits for its load."""
    for number in range(MANY):
        file = a_file(scope.export)
        a_delivery(scope, file, snapshot=str(number), listed_keys=[file.key])


def tuples_read() -> int:
    """By this transaction, of all tables."""
    read = "SELECT sum(seq_tup_read) + sum(coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
    return int(str(one(read)[0]))


def test_a_large_discovery_costs_little_though_the_statistics_are_of_before_it(scope: DeliveryScope) -> None:
    with transaction.atomic():
        many_deliveries(scope)
        transaction.set_rollback(True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # of tables that hold nothing that anybody sees
    many_deliveries(scope)
    with transaction.atomic():
        before = tuples_read()
        assert publish_pending(Delivery.objects.filter(scope=scope)) == 0
        assert tuples_read() - before < 10 * MANY**2, "not each file and each delivery for every delivery"
