"""Verifications that staff or the schedule ask for: each done once, and no load waits behind them."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django_q.exceptions import TimeoutException
from django_q.models import OrmQ
from django_q.timeout import TimeoutHandler

from ingestion import tasks
from ingestion.admin import receipts
from ingestion.discovery_runs import one_at_a_time
from ingestion.models import StaffAction, Verification, VerificationRequest
from ingestion.queueing import QUEUED_AGAIN_AFTER
from ingestion.verification import wishes
from ingestion.verification.verify import verify_file
from ingestion.verification.wishes import (
    LOCK_CLASS,
    MOST_TRIES,
    request_verification,
    request_verification_of_connection,
)
from tests.billing.raw_rows import second_session
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.registered import a_file, an_export
from tests.ingestion.verifying import tamper
from tests.staff import browser_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEYS = ["exports/a/a.csv.gz", "exports/b/b.csv.gz", "exports/c/c.csv.gz"]
BY_STAFF = StaffAction.objects.exclude(actor="command line")


@pytest.fixture
def ingested(client_under_test: ClientUnderTest) -> ClientUnderTest:
    for key in KEYS:
        client_under_test.account.put_object(key, csv_gz(f"n\n{key}\n"))
    client_under_test.ingest()
    return client_under_test


def queued() -> list[tuple[str, int]]:
    tasks_waiting = [one.task for one in OrmQ.objects.order_by("id")]
    return [(task["func"].removeprefix("ingestion.tasks."), *task["args"]) for task in tasks_waiting]


def asked_for() -> list[tuple[int | None, bool, str]]:
    """Which files (None: the connection), whether against S3, and who asked."""
    return list(VerificationRequest.objects.values_list("source_file", "against_s3", "actor"))


def work_off() -> None:
    """What a worker does until nothing waits."""
    while entry := OrmQ.objects.order_by("id").first():
        entry.delete()
        name = entry.task["func"].removeprefix("ingestion.tasks.")
        getattr(tasks, name)(*entry.task["args"])


def in_own_session(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connection.close()


def time_passes() -> None:
    VerificationRequest.objects.filter(queued_at__isnull=False).update(
        queued_at=timezone.now() - QUEUED_AGAIN_AFTER - timedelta(seconds=1)
    )


def ask(browser: Browser, model: str, action: str, pk: int) -> None:
    address = reverse(f"admin:ingestion_{model}_changelist")
    browser.post(address, {"action": action, "_selected_action": [pk]}, secure=True)


def change_a_cell(client: ClientUnderTest, key: str) -> None:
    table = f"billing_rawrow_{client.connection.pk}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        cursor.execute(
            f"UPDATE {table} SET \"values\" = '{{forged}}' WHERE source_file_id = %s", [client.file(key).pk]
        )
        cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER billing_append_only")


def test_more_files_than_one_request_should_record_are_refused(
    ingested: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "MOST_VERIFIED", len(KEYS) - 1)
    wish = {"action": "verify_stored", "_selected_action": [ingested.file(KEYS[0]).pk], "select_across": "1"}
    address = reverse("admin:ingestion_sourcefile_changelist")
    answer = browser_of("operator").post(address, wish, secure=True, follow=True)
    assert "Nothing was asked for" in answer.content.decode()
    assert asked_for() == []
    assert not BY_STAFF.exists()


def test_an_operator_asks_and_the_answer_is_kept_in_the_operators_name(ingested: ClientUnderTest) -> None:
    operator, file = browser_of("operator"), ingested.file(KEYS[0])
    ask(operator, "sourcefile", "verify_stored", file.pk)
    ask(operator, "sourcefile", "verify_against_s3", file.pk)
    ask(operator, "clientconnection", "verify_connections", ingested.connection.pk)
    wished = [(file.pk, False, "operator"), (file.pk, True, "operator"), (None, False, "operator")]
    assert asked_for() == wished
    assert set(BY_STAFF.values_list("actor", "action")) == {
        ("operator", "verify"),
        ("operator", "verify against S3"),
    }
    page = operator.get(reverse("admin:ingestion_sourcefile_change", args=[file.pk]), secure=True)
    assert page.content.decode().count("Asked for</span>") == 2
    work_off()
    assert asked_for() == []
    kept = Verification.objects.order_by("id")
    assert set(kept.values_list("outcome", "actor")) == {("EQUAL", "operator")}
    assert list(kept.values_list("source_file", "against_s3"))[:3] == [
        (file.pk, False),
        (file.pk, True),
        (None, False),
    ]
    assert kept.count() == 3 + len(KEYS), "a connection's files are verified with it"
    page = operator.get(reverse("admin:ingestion_verification_changelist"), secure=True)
    assert page.status_code == 200


def test_what_is_asked_for_twice_is_done_once(ingested: ClientUnderTest) -> None:
    file = ingested.file(KEYS[0])
    for person in ("anna", "bert"):
        request_verification([file], person, against_s3=False)
        request_verification_of_connection(ingested.connection, person)
    assert asked_for() == [(file.pk, False, "anna"), (None, False, "anna")]


def test_a_worker_is_left_for_the_loads_however_many_verifications_wait(
    ingested: ClientUnderTest, settings: Any
) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "workers": 3}
    settings.KCX_QUEUE_DEPTH = 2
    files = [ingested.file(key) for key in KEYS]
    request_verification(files, "anna", against_s3=False)
    first, second, third = VerificationRequest.objects.values_list("pk", flat=True)
    assert queued() == [("verify", first), ("verify", second)]
    waits = a_file(an_export(ingested.connection))
    tasks.sweep()
    assert queued()[2:] == [("load", waits.pk)], "verifications take no place of the loads"
    OrmQ.objects.order_by("id").first().delete()  # as a worker does that takes it
    tasks.verify(first)
    assert queued()[-1] == ("verify", third)


def test_one_worker_does_one_verification_at_a_time(ingested: ClientUnderTest, settings: Any) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "workers": 1}
    request_verification([ingested.file(key) for key in KEYS], "anna", against_s3=False)
    assert len(queued()) == 1


class TestLost:
    def test_a_verification_whose_task_is_lost_is_queued_again(self, ingested: ClientUnderTest) -> None:
        request_verification([ingested.file(KEYS[0])], "anna", against_s3=False)
        OrmQ.objects.all().delete()
        tasks.sweep()
        assert queued() == [], "the task may only be slow"
        time_passes()
        tasks.sweep()
        assert [name for name, _ in queued()] == ["verify"]

    def test_one_whose_task_waits_or_is_being_done_is_left_alone(self, ingested: ClientUnderTest) -> None:
        request_verification([ingested.file(KEYS[0])], "anna", against_s3=False)
        time_passes()
        tasks.sweep()
        assert len(queued()) == 1
        OrmQ.objects.all().delete()
        request_id = VerificationRequest.objects.get().pk
        with one_at_a_time(request_id, LOCK_CLASS), ThreadPoolExecutor(1) as pool:
            tasks.sweep()
            pool.submit(in_own_session, lambda: tasks.verify(request_id)).result(timeout=30)
        assert queued() == []
        assert not Verification.objects.exists(), "one at a time"

    def test_one_that_kills_its_worker_each_time_is_given_up_and_that_is_told(
        self, ingested: ClientUnderTest, caplog: pytest.LogCaptureFixture
    ) -> None:
        file = ingested.file(KEYS[0])
        request_verification([file], "anna", against_s3=True)
        for _ in range(MOST_TRIES):
            assert not Verification.objects.exists()
            assert len(queued()) == 1
            OrmQ.objects.all().delete()
            time_passes()
            tasks.sweep()
        assert (queued(), asked_for()) == ([], [])
        kept = Verification.objects.get()
        assert (kept.outcome, kept.source_file, kept.actor) == ("NOT_COMPARED", file, "anna")
        assert "The worker died each of the 3 times" in caplog.text

    def test_one_that_raises_is_not_tried_for_ever(
        self, ingested: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> None:
            raise ValueError("broken")

        # No server can be made to fail just there.
        monkeypatch.setattr(wishes, "verify_file", broken)
        request_verification([ingested.file(KEYS[0])], "anna", against_s3=False)
        with pytest.raises(ValueError, match="broken"):
            work_off()
        assert asked_for() == []
        kept = Verification.objects.get()
        assert (kept.outcome, kept.source_file, kept.actor) == (
            "NOT_COMPARED",
            ingested.file(KEYS[0]),
            "anna",
        )
        assert kept.report["not_compared"] == ["It was broken off: ValueError: broken"]

    def test_one_that_takes_longer_than_a_task_may_is_told_as_not_compared(
        self, ingested: ClientUnderTest
    ) -> None:
        file = ingested.file(KEYS[0])
        request_verification([file], "anna", against_s3=False)
        OrmQ.objects.all().delete()
        with second_session() as other:
            other.execute(f"LOCK TABLE billing_rawrow_{file.connection_id} IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(TimeoutException), TimeoutHandler(1):  # as a worker runs each task
                tasks.verify(VerificationRequest.objects.get().pk)
        kept = Verification.objects.get()
        assert (kept.outcome, kept.source_file) == ("NOT_COMPARED", file)
        assert "TimeoutException" in kept.report["not_compared"][0]
        assert asked_for() == []


def test_a_connection_that_takes_long_is_verified_by_one_task_after_the_other(
    ingested: ClientUnderTest, settings: Any
) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "timeout": 0}
    request_verification_of_connection(ingested.connection, "anna")
    compared: list[int] = []
    for _ in range(len(KEYS) + 1):
        (entry,) = OrmQ.objects.all()
        entry.delete()
        compared.append(Verification.objects.count())
        tasks.verify(*entry.task["args"])
    files = [ingested.file(key).pk for key in KEYS]
    assert compared == [0, 2, 3, 4], "the receipts and a file, then a file each"
    told_of = list(Verification.objects.order_by("pk").values_list("source_file", "outcome"))
    assert told_of == [(None, "EQUAL"), *((file, "EQUAL") for file in files)]
    assert (asked_for(), queued()) == ([], [])


def test_a_viewer_cannot_ask(ingested: ClientUnderTest) -> None:
    viewer = browser_of("viewer")
    ask(viewer, "sourcefile", "verify_stored", ingested.file(KEYS[0]).pk)
    ask(viewer, "clientconnection", "verify_connections", ingested.connection.pk)
    assert asked_for() == []
    assert not BY_STAFF.exists()


def test_the_weekly_sample_takes_those_not_verified_for_longest(
    ingested: ClientUnderTest, settings: Any
) -> None:
    tasks.verify_sample()
    assert asked_for() == [], "off unless a number is set"
    ids = [ingested.file(key).pk for key in KEYS]
    for file_id in (ids[0], ids[2]):
        verify_file(file_id, "schedule", against_s3=True)
    settings.KCX_VERIFY_WEEKLY_FILES = 2
    tasks.verify_sample()
    assert asked_for() == [(ids[1], True, "schedule"), (ids[0], True, "schedule")]


def test_a_difference_is_an_error_in_the_log_and_stays_to_be_seen(
    ingested: ClientUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    change_a_cell(ingested, KEYS[1])
    with caplog.at_level(logging.ERROR, "ingestion"):
        request_verification_of_connection(ingested.connection, "anna")
        work_off()
    found = Verification.objects.get(outcome="DIFFERENT")
    assert found.source_file == ingested.file(KEYS[1])
    assert f"Verification {found.pk} found" in caplog.text


@pytest.mark.parametrize("body", ["gone", "7", '{"blank_lines": "x", "repeated_names": 1}'])
def test_a_receipt_whose_text_was_tampered_with_is_shown_as_it_is(
    ingested: ClientUnderTest, body: str
) -> None:
    file = ingested.file(KEYS[0])
    receipt = file.receipts.get()
    tamper(f"UPDATE ingestion_receipt SET body = '{body}' WHERE id = {receipt.pk}")
    viewer = browser_of("viewer")
    page = viewer.get(reverse("admin:ingestion_receipt_change", args=[receipt.pk]), secure=True)
    assert (page.status_code, body.strip("{}")[:4] in unescape(page.content.decode())) == (200, True)
    assert (
        viewer.get(reverse("admin:ingestion_sourcefile_change", args=[file.pk]), secure=True).status_code
        == 200
    )


def test_the_pages_of_receipts_and_verifications_open(ingested: ClientUnderTest) -> None:
    verify_file(ingested.file(KEYS[0]).pk, "anna")
    viewer = browser_of("viewer")
    for model, one in (
        ("receipt", ingested.connection.receipts.first()),
        ("verification", Verification.objects.get()),
    ):
        assert one
        for path in (
            reverse(f"admin:ingestion_{model}_changelist"),
            reverse(f"admin:ingestion_{model}_change", args=[one.pk]),
        ):
            assert viewer.get(path, secure=True).status_code == 200
