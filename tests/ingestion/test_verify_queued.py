"""Verifications that staff or the schedule ask for: queued, kept, and a difference is an error in the log."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django_q.models import OrmQ

from ingestion import tasks
from ingestion.admin import receipts
from ingestion.models import StaffAction, Verification
from tests.builders import ClientUnderTest, csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEYS = ["exports/a/a.csv.gz", "exports/b/b.csv.gz", "exports/c/c.csv.gz"]
BY_STAFF = StaffAction.objects.exclude(actor="command line")


@pytest.fixture
def ingested(client_under_test: ClientUnderTest) -> ClientUnderTest:
    for key in KEYS:
        client_under_test.account.put_object(key, csv_gz(f"n\n{key}\n"))
    client_under_test.ingest()
    return client_under_test


def browser_of(group: str) -> Browser:
    call_command("migrate", verbosity=0)
    person = User.objects.create_user(group, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    browser = Browser()
    browser.force_login(person)
    return browser


def queued() -> list[tuple[str, int]]:
    tasks_waiting = [one.task for one in OrmQ.objects.order_by("id")]
    return [(task["func"].removeprefix("ingestion.tasks."), *task["args"]) for task in tasks_waiting]


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


def test_more_files_than_the_queue_should_hold_are_refused(
    ingested: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receipts, "MOST_VERIFIED", len(KEYS) - 1)
    wish = {"action": "verify_stored", "_selected_action": [ingested.file(KEYS[0]).pk], "select_across": "1"}
    address = reverse("admin:ingestion_sourcefile_changelist")
    answer = browser_of("operator").post(address, wish, secure=True, follow=True)
    assert "Nothing was queued" in answer.content.decode()
    assert queued() == []
    assert not BY_STAFF.exists()


def test_an_operator_asks_and_the_answer_is_kept(ingested: ClientUnderTest) -> None:
    operator, file = browser_of("operator"), ingested.file(KEYS[0])
    ask(operator, "sourcefile", "verify_stored", file.pk)
    ask(operator, "sourcefile", "verify_against_s3", file.pk)
    ask(operator, "clientconnection", "verify_connections", ingested.connection.pk)
    assert queued() == [
        ("verify_file", file.pk),
        ("verify_file_against_s3", file.pk),
        ("verify_connection", ingested.connection.pk),
    ]
    assert set(BY_STAFF.values_list("actor", "action")) == {
        ("operator", "verify"),
        ("operator", "verify against S3"),
    }
    for name, number in queued():
        getattr(tasks, name)(number)
    assert set(Verification.objects.values_list("outcome", flat=True)) == {"EQUAL"}
    assert Verification.objects.filter(against_s3=True).count() == 1
    page = operator.get(reverse("admin:ingestion_verification_changelist"), secure=True)
    assert page.status_code == 200


def test_a_viewer_cannot_ask(ingested: ClientUnderTest) -> None:
    viewer = browser_of("viewer")
    ask(viewer, "sourcefile", "verify_stored", ingested.file(KEYS[0]).pk)
    ask(viewer, "clientconnection", "verify_connections", ingested.connection.pk)
    assert queued() == []
    assert not BY_STAFF.exists()


def test_the_weekly_sample_takes_those_not_verified_for_longest(
    ingested: ClientUnderTest, settings: Any
) -> None:
    tasks.verify_sample()
    assert queued() == [], "off unless a number is set"
    ids = [ingested.file(key).pk for key in KEYS]
    tasks.verify_file_against_s3(ids[0])
    tasks.verify_file_against_s3(ids[2])
    settings.KCX_VERIFY_WEEKLY_FILES = 2
    tasks.verify_sample()
    assert queued() == [("verify_file_against_s3", ids[1]), ("verify_file_against_s3", ids[0])]


def test_a_difference_is_an_error_in_the_log_and_stays_to_be_seen(
    ingested: ClientUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    change_a_cell(ingested, KEYS[1])
    with caplog.at_level(logging.ERROR, "ingestion"):
        tasks.verify_connection(ingested.connection.pk)
    found = Verification.objects.get(outcome="DIFFERENT")
    assert found.source_file == ingested.file(KEYS[1])
    assert f"Verification {found.pk} found" in caplog.text


def test_the_pages_of_receipts_and_verifications_open(ingested: ClientUnderTest) -> None:
    tasks.verify_file(ingested.file(KEYS[0]).pk)
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
