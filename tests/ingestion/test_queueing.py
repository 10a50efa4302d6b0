"""From KCX's own tables to tasks: once each, newest period first, and only what is wanted."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import count
from threading import Barrier, Event
from typing import Any

import pytest
from django.core import signing
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Task

from ingestion import tasks
from ingestion.access.check import run_access_check
from ingestion.access.enabling import disable
from ingestion.discovery_runs import one_at_a_time
from ingestion.models import AwsUse, Client, ClientConnection, DiscoveryRun, Export, LoadAttempt, SourceFile
from ingestion.queueing import (
    FAILED_TASKS_KEPT,
    QUEUED_AGAIN_AFTER,
    queue_discovery,
    queue_due_discoveries,
    queue_loads,
    request_discovery,
)
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, held
from tests.ingestion.registered import a_connection, a_file, an_export, failed, ingested, running
from tests.waiting import until

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("raw_database"),
]


@pytest.fixture
def export(raw_database: None, settings: Any) -> Export:
    settings.KCX_QUEUE_DEPTH = 50
    return an_export(a_connection(next_discovery_at=timezone.now() - timedelta(hours=3)))


def queued() -> list[tuple[str, int]]:
    """The tasks in the queue, in order: what is called, and with which number."""
    found = [entry.task for entry in OrmQ.objects.order_by("id")]
    return [(task["func"].removeprefix("ingestion.tasks."), *task["args"]) for task in found]


def loads(*files: SourceFile) -> list[tuple[str, int]]:
    return [("load", file.pk) for file in files]


def a_backlog(export: Export, files: int, share: int) -> None:
    """So many files of three years, of which one in `share` waits; and the planner knows it."""
    (waits, loaded), number = (a_file(export), ingested(export)), count()
    for one in (waits, loaded):
        copies = (files // share if one is waits else files - files // share) - 1
        SourceFile.objects.bulk_create(copy_of(one, next(number)) for _ in range(copies))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def copy_of(file: SourceFile, number: int) -> SourceFile:
    period = date(2023 + number % 36 // 12, 1 + number % 12, 1)
    fields = {field.attname: getattr(file, field.attname) for field in SourceFile._meta.concrete_fields}
    return SourceFile(**fields | {"id": None, "key": f"exports/{number}", "billing_period_start": period})


def at_once(work: Callable[[], int]) -> list[int]:
    """What two sessions answer that do the same at the same time."""
    together = Barrier(2, timeout=30)

    def started_together() -> int:
        try:
            with connection.cursor():
                together.wait()
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        return [future.result() for future in [pool.submit(started_together) for _ in range(2)]]


class TestTick:
    def test_a_due_connection_is_queued_once_and_its_next_time_is_set(self, export: Export) -> None:
        before = timezone.now()
        tasks.tick()
        tasks.tick()
        assert queued() == [("discover", export.connection_id)]
        next_time = ClientConnection.objects.get().next_discovery_at
        assert before + timedelta(hours=1) <= next_time <= timezone.now() + timedelta(hours=1)

    def test_after_a_long_stop_a_connection_is_discovered_once_and_not_for_every_hour(
        self, export: Export
    ) -> None:
        ClientConnection.objects.update(next_discovery_at=timezone.now() - timedelta(days=30))
        assert [queue_due_discoveries() for _ in range(3)] == [1, 0, 0]

    def test_a_discovery_that_waits_is_not_queued_again_however_often_it_is_due(self, export: Export) -> None:
        other = a_connection(next_discovery_at=timezone.now() + timedelta(days=1))
        assert queue_due_discoveries() == 1
        ClientConnection.objects.update(next_discovery_at=timezone.now())
        assert queue_due_discoveries() == 1
        assert queued() == [("discover", export.connection_id), ("discover", other.pk)]
        assert not ClientConnection.objects.filter(next_discovery_at__lte=timezone.now()).exists()

    def test_a_discovery_that_a_process_has_taken_or_lost_is_queued_again_when_it_is_due(
        self, export: Export
    ) -> None:
        queue_due_discoveries()
        ClientConnection.objects.update(next_discovery_at=timezone.now())
        OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))
        assert queue_due_discoveries() == 1, "taken"
        ClientConnection.objects.update(next_discovery_at=timezone.now())
        OrmQ.objects.all().delete()
        assert queue_due_discoveries() == 1, "lost"
        assert queued() == [("discover", export.connection_id)]

    @pytest.mark.parametrize(
        "fields",
        [{"enabled": False}, {"next_discovery_at": timezone.now() + timedelta(days=1)}],
        ids=["disabled", "not due"],
    )
    def test_a_connection_that_is_disabled_or_not_due_is_left_alone(
        self, export: Export, fields: dict[str, Any]
    ) -> None:
        ClientConnection.objects.update(**fields)
        before = ClientConnection.objects.get().next_discovery_at
        tasks.tick()
        assert queued() == []
        assert ClientConnection.objects.get().next_discovery_at == before

    def test_a_connection_of_a_disabled_client_is_left_alone(self, export: Export) -> None:
        Client.objects.update(enabled=False)
        tasks.tick()
        assert queued() == []

    def test_two_ticks_at_once_queue_every_connection_once(self, export: Export) -> None:
        connections = [export.connection, *(a_connection() for _ in range(20))]
        assert sum(at_once(queue_due_discoveries)) == 21
        assert sorted(queued()) == sorted(("discover", each.pk) for each in connections)

    def test_a_tick_waits_for_nobody(self, export: Export) -> None:
        with transaction.atomic():
            ClientConnection.objects.select_for_update().get()
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(in_own_session, queue_due_discoveries).result(timeout=4) == 0
        assert queue_due_discoveries() == 1


class TestLoads:
    def test_the_newest_billing_period_comes_first_and_within_it_the_first_that_was_seen(
        self, export: Export
    ) -> None:
        without = a_file(export, billing_period_start=None, billing_period_end=None)
        march = a_file(export)
        may, april, again = (
            a_file(export, billing_period_start=date(2026, month, 1), billing_period_end=date(2026, 6, 1))
            for month in (5, 4, 5)
        )
        assert queue_loads() == 5
        assert queued() == loads(may, again, april, march, without)

    def test_a_file_is_not_queued_twice(self, export: Export) -> None:
        file = a_file(export)
        assert [queue_loads(), queue_loads()] == [1, 0]
        assert queued() == loads(file)

    def test_a_file_whose_task_was_lost_is_queued_again(self, export: Export) -> None:
        file = a_file(export)
        queue_loads()
        OrmQ.objects.all().delete()
        assert queue_loads() == 0, "the task may only be slow"
        file.queued_at = timezone.now() - QUEUED_AGAIN_AFTER - timedelta(seconds=1)
        file.save()
        assert queue_loads() == 1
        assert queued() == loads(file)

    def test_a_file_whose_task_waits_is_not_queued_again_however_long_it_waits(self, export: Export) -> None:
        file = a_file(export)
        queue_loads()
        SourceFile.objects.update(queued_at=timezone.now() - timedelta(days=1))
        assert queue_loads() == 0
        OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))
        assert queue_loads() == 1, "a process took the task and did not begin it"
        assert queued() == loads(file, file)

    def test_a_task_that_another_secret_key_has_signed_stands_in_nobodys_way(self, export: Export) -> None:
        file = a_file(export)
        queue_discovery(export.connection_id)
        OrmQ.objects.update(payload=signing.dumps("a task", key="the former one"))
        tasks.sweep()
        assert OrmQ.objects.first().task == {"id": "*BadSignature"}
        assert OrmQ.objects.last().task["args"] == (file.pk,)

    def test_the_queue_is_never_longer_than_the_setting_says(self, export: Export, settings: Any) -> None:
        settings.KCX_QUEUE_DEPTH = 3
        files = [a_file(export) for _ in range(5)]
        assert [queue_loads(), queue_loads()] == [3, 0]
        assert queued() == loads(*files[:3])
        OrmQ.objects.first().delete()
        assert queue_loads() == 1
        assert queued() == loads(*files[1:4])

    def test_only_files_that_are_due_are_queued(self, export: Export) -> None:
        hour = timedelta(hours=1)
        due = [
            a_file(export),
            failed(export, next_retry_at=timezone.now() - hour),
            ingested(export, reload_requested_at=timezone.now()),
        ]
        failed(export, next_retry_at=None)
        failed(export, next_retry_at=timezone.now() + hour)
        ingested(export)
        ingested(export, reload_requested_at=timezone.now(), next_retry_at=timezone.now() + hour)
        a_file(export, status="SKIPPED", skip_reason="GONE")
        queue_loads()
        assert queued() == loads(*due)

    @pytest.mark.parametrize("decision", [Export.Decision.AWAITING, Export.Decision.IGNORE])
    def test_files_of_an_export_that_nobody_decided_to_load_are_left_alone(
        self, export: Export, decision: str
    ) -> None:
        a_file(export)
        Export.objects.update(decision=decision)
        assert queue_loads() == 0
        Export.objects.update(decision=Export.Decision.LOAD)
        assert queue_loads() == 1

    @pytest.mark.parametrize("model", [Client, ClientConnection])
    def test_nothing_of_a_disabled_client_or_connection_is_queued_whoever_asks(
        self, export: Export, model: type[Client] | type[ClientConnection]
    ) -> None:
        a_file(export)
        model.objects.update(enabled=False)
        assert queue_loads() == 0
        assert queue_loads(SourceFile.objects.all()) == 0
        model.objects.update(enabled=True)
        assert queue_loads() == 1

    def test_of_chosen_files_only_those_that_wait_are_queued(self, export: Export) -> None:
        waits, loaded, other = a_file(export), ingested(export), a_file(export)
        assert queue_loads(SourceFile.objects.filter(pk__in=[waits.pk, loaded.pk])) == 1
        assert queued() == loads(waits)
        assert queue_loads() == 1
        assert queued() == loads(waits, other)

    def test_a_file_that_is_loading_now_is_left_alone_and_nobody_waits_for_it(self, export: Export) -> None:
        loading, waits = a_file(export), a_file(export)
        with transaction.atomic():
            SourceFile.objects.select_for_update(no_key=True).get(pk=loading.pk)
            with ThreadPoolExecutor(1) as pool:
                assert pool.submit(in_own_session, queue_loads).result(timeout=4) == 1
        assert queued() == loads(waits)

    def test_two_sweeps_at_once_queue_every_file_once(self, export: Export) -> None:
        files = [a_file(export) for _ in range(50)]
        assert sum(at_once(queue_loads)) == 50
        assert sorted(queued()) == sorted(loads(*files))

    @pytest.mark.parametrize("share", [1, 20], ids=["all wait", "one in twenty waits"])
    def test_of_a_long_backlog_only_the_first_are_read(
        self, export: Export, settings: Any, share: int
    ) -> None:
        settings.KCX_QUEUE_DEPTH = 4
        a_backlog(export, files=4000, share=share)
        with CaptureQueriesContext(connection) as asked:
            assert queue_loads() == 4
        (chosen,) = [query["sql"] for query in asked if "SKIP LOCKED" in query["sql"]]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {chosen}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "Index Scan using sourcefile_waiting" in plan
        assert not re.search(r"Sort Key: .*billing_period_start", plan)

    def test_a_load_makes_room_for_the_next(self, client_under_test: ClientUnderTest, settings: Any) -> None:
        settings.KCX_QUEUE_DEPTH = 1
        for name in "ab":
            client_under_test.account.put_object(f"exports/{name}.csv.gz", csv_gz("a\n1\n"))
        client_under_test.discover()
        queue_loads()
        first = OrmQ.objects.get()
        first.delete()  # as a worker does that takes it
        tasks.load(*first.task["args"])
        second = OrmQ.objects.get()
        assert second.task["args"] != first.task["args"]
        OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))
        third = a_file(an_export(client_under_test.connection))
        assert queue_loads() == 1, "what a worker does now takes no room"
        assert OrmQ.objects.latest("id").task["args"] == (third.pk,)

    @pytest.mark.parametrize("model", [Client, ClientConnection])
    def test_what_is_queued_already_stays_undone_once_it_is_disabled(
        self, client_under_test: ClientUnderTest, model: type[Client] | type[ClientConnection]
    ) -> None:
        client_under_test.account.put_object("exports/a.csv.gz", csv_gz("a\n1\n"))
        client_under_test.discover()
        file = SourceFile.objects.get()
        model.objects.update(enabled=False)
        tasks.load(file.pk)
        assert not LoadAttempt.objects.exists()
        model.objects.update(enabled=True)
        tasks.load(file.pk)
        assert LoadAttempt.objects.get().outcome == "SUCCEEDED"


class TestDiscoveries:
    def test_what_a_person_asks_for_while_one_runs_is_done_after_it(
        self, client_under_test: ClientUnderTest, wire: FaultyAws
    ) -> None:
        connection_id = client_under_test.connection.pk
        go_on = Event()
        wire.script("ListObjectsV2", held(go_on))
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(in_own_session, lambda: tasks.discover(connection_id))
            until(lambda: DiscoveryRun.objects.filter(outcome="RUNNING").exists(), "it runs")
            request_discovery(client_under_test.connection, "anna")
            OrmQ.objects.all().delete()
            tasks.discover(connection_id)
            assert DiscoveryRun.objects.count() == 1
            go_on.set()
            first.result(timeout=30)
        assert queued() == [("discover", connection_id)]
        tasks.discover(connection_id)
        assert DiscoveryRun.objects.latest("id").actor == "anna"
        assert queued() == [("discover", connection_id)], "once"

    @pytest.mark.parametrize("model", [Client, ClientConnection])
    @pytest.mark.parametrize("person", ["", "anna"])
    def test_one_that_is_queued_already_asks_aws_nothing_once_it_is_disabled(
        self, client_under_test: ClientUnderTest, model: type[Client] | type[ClientConnection], person: str
    ) -> None:
        connection_id = client_under_test.connection.pk
        ClientConnection.objects.update(discovery_requested_by=person)
        model.objects.update(enabled=False)
        tasks.discover(connection_id)
        assert not DiscoveryRun.objects.exists()
        assert not AwsUse.objects.exists()
        model.objects.update(enabled=True)
        tasks.discover(connection_id)
        assert DiscoveryRun.objects.get().actor == "schedule", "what a person asked for is not kept for later"

    def test_whoever_disables_takes_back_what_others_asked_for_before(
        self, client_under_test: ClientUnderTest
    ) -> None:
        connection = client_under_test.connection
        run_access_check(connection.pk, "anna")
        request_discovery(connection, "anna")
        disable(connection, "omar")
        tasks.discover(connection.pk)
        assert not DiscoveryRun.objects.exists()
        request_discovery(connection, "anna")
        tasks.discover(connection.pk)
        assert DiscoveryRun.objects.get().actor == "anna", "a look that is asked for afterwards is"


class TestSweep:
    def test_one_at_a_time(self, export: Export) -> None:
        a_file(export)
        with ThreadPoolExecutor(1) as pool, one_at_a_time(tasks.ALL, tasks.SWEEP_LOCK):
            pool.submit(in_own_session, tasks.sweep).result()
        assert queued() == []
        tasks.sweep()
        assert len(queued()) == 1

    def test_a_step_that_fails_keeps_no_other_from_its_work(
        self, export: Export, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = a_file(export)

        def broken() -> None:
            raise ValueError("broken")

        # No server can be made to fail just there.
        monkeypatch.setattr(tasks, "close_dead_runs", broken)
        with pytest.raises(ExceptionGroup) as raised:
            tasks.sweep()
        assert [str(error) for error in raised.value.exceptions] == ["broken"]
        assert queued() == loads(file)


def test_a_sweep_queues_again_what_a_dead_worker_had_begun(export: Export) -> None:
    file = a_file(export, queued_at=timezone.now())
    attempt = running(file)
    tasks.sweep()
    attempt.refresh_from_db()
    assert attempt.outcome == "CRASHED"
    assert queued() == loads(file)


def test_a_task_says_what_it_is_to_whoever_reads_the_queue(export: Export) -> None:
    file = a_file(export)
    tasks.tick()
    tasks.sweep()
    names = [entry.task["name"] for entry in OrmQ.objects.order_by("id")]
    assert names == [f"discover connection {export.connection_id}", f"load file {file.pk}"]


def test_the_task_that_waits_longest_is_taken_first_wherever_a_younger_one_is_stored(
    raw_database: None,
) -> None:
    for number in range(10):
        queue_discovery(number)
    older = OrmQ.objects.latest("id")
    OrmQ.objects.exclude(pk=older.pk).delete()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM django_q_ormq")
        queue_discovery(10)
        cursor.execute("SELECT array_agg(id ORDER BY ctid) FROM django_q_ormq")
        assert cursor.fetchone()[0][-1] == older.pk, "the younger took the room of one that is gone"
    broker = get_broker()
    taken = [pk for _ in range(2) for pk, _payload in broker.dequeue()]
    assert taken == [older.pk, OrmQ.objects.latest("id").pk]
    assert (broker.queue_size(), broker.lock_size()) == (0, 2)
    for pk in taken:
        broker.acknowledge(pk)
    assert not OrmQ.objects.exists()


def in_own_session(work: Callable[[], int]) -> int:
    try:
        return work()
    finally:
        connection.close()


def test_failed_tasks_are_kept_for_a_month_and_then_go() -> None:
    now = timezone.now()
    ages = {"old": FAILED_TASKS_KEPT + timedelta(minutes=1), "young": FAILED_TASKS_KEPT - timedelta(hours=1)}
    for name, age in ages.items():
        for success in (True, False):
            Task.objects.create(
                id=f"{name} {success}",
                name=name,
                func="ingestion.tasks.sweep",
                started=now - age,
                stopped=now - age,
                success=success,
            )
    tasks.analyze()
    assert set(Task.objects.values_list("id", flat=True)) == {"old True", "young True", "young False"}
