"""A refused read is one file's own, or the connection's: then its files wait, and load once it has ended."""

import logging
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from ingestion import load_session, queueing, tasks
from ingestion.models import Event, LoadAttempt, SourceFile
from ingestion.pipeline import run
from ingestion.reruns import reprocess
from kcx.dashboard.attention import attention
from kcx.dashboard.connections import lines
from kcx.simulated_aws.policies import policy
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import Answer, FaultyAws, Wire, untouched
from tests.refusing_s3 import refusing

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEYS = [f"exports/lines/{number}.csv.gz" for number in range(5)]
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
DENIED = ("AccessDenied", "Access Denied")


@pytest.fixture
def client(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """Five files wait."""
    for key in KEYS:
        client_under_test.account.put_object(key, csv_gz("a\n1\n"))
    client_under_test.discover()
    return client_under_test


def load_tasks() -> None:
    """Every file's task is run, as the queue would."""
    for pk in SourceFile.objects.order_by("pk").values_list("pk", flat=True):
        tasks.load(pk)


def statuses() -> list[str]:
    return list(SourceFile.objects.order_by("pk").values_list("status", flat=True))


def happened() -> list[str]:
    return list(Event.objects.exclude(kind=Event.Kind.DELIVERY_PUBLISHED).values_list("kind", flat=True))


def test_where_nothing_can_be_read_the_first_refusal_stops_the_connection_and_it_is_told_once(
    client: ClientUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    client.account.set_bucket_policy(policy(DENY))
    load_tasks()
    assert statuses() == ["FAILED", "NEW", "NEW", "NEW", "NEW"]
    assert SourceFile.objects.filter(status="FAILED", next_retry_at=None).count() == 0
    assert happened() == [], "the discovery tells it"
    assert queueing.queue_due_discoveries() == 1, "which is due at once"
    for _ in range(2):
        assert client.discover().error_code == "explicit_deny"
        load_tasks()
    assert LoadAttempt.objects.count() == 1
    assert happened() == ["access.lost"]
    assert [entry.kind for entry in attention(lines(), worker_works=True)] == ["Access lost"]
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.name for record in errors] == ["ingestion.access"]
    client.account.set_bucket_policy({})
    assert client.discover().outcome == "SUCCEEDED"
    load_tasks()
    assert statuses() == ["INGESTED"] * 5


@pytest.mark.parametrize("refused", [KEYS[:1], KEYS[1:]], ids=["one", "all but one"])
def test_files_that_are_refused_alone_fail_and_the_others_load(
    client: ClientUnderTest, refused: list[str]
) -> None:
    with refusing(dict.fromkeys(refused, DENIED)):
        load_tasks()
        assert client.discover().outcome == "SUCCEEDED"
        load_tasks()
    failed = SourceFile.objects.filter(status="FAILED", next_retry_at=None)
    assert set(failed.values_list("key", flat=True)) == set(refused)
    assert statuses().count("INGESTED") == len(KEYS) - len(refused)
    assert happened() == ["file.failed"] * len(refused)


def test_a_refusal_that_ends_before_the_look_at_the_connection_is_not_told(client: ClientUnderTest) -> None:
    client.account.set_bucket_policy(policy(DENY))
    load_tasks()
    client.account.set_bucket_policy({})
    client.discover()
    load_tasks()
    assert statuses() == ["INGESTED"] * 5
    assert happened() == []


def test_a_check_that_passes_lets_loads_go_on(client: ClientUnderTest) -> None:
    client.account.set_bucket_policy(policy(DENY))
    load_tasks()
    client.account.set_bucket_policy({})
    call_command("check_access", connection=str(client.connection.pk))
    load_tasks()
    assert statuses() == ["INGESTED"] * 5


def test_the_command_stops_at_the_first_refusal_too(client: ClientUnderTest) -> None:
    client.account.set_bucket_policy(policy(DENY))
    with pytest.raises(CommandError):
        call_command("ingest", connection=str(client.connection.pk))
    assert statuses() == ["FAILED", "NEW", "NEW", "NEW", "NEW"]


def test_a_reload_that_is_refused_waits_with_its_rows_in_place(client: ClientUnderTest) -> None:
    client.load_all()
    reprocess(SourceFile.objects.filter(key=KEYS[0]))
    client.account.set_bucket_policy(policy(DENY))
    load_tasks()
    assert client.rows(KEYS[0]) == [["1"]]
    client.account.set_bucket_policy({})
    client.discover()
    SourceFile.objects.filter(key=KEYS[0]).update(next_retry_at=timezone.now())
    load_tasks()
    attempts = LoadAttempt.objects.filter(source_file__key=KEYS[0]).order_by("pk")
    assert list(attempts.values_list("outcome", flat=True)) == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


def late(wire: Wire, answer: Answer) -> None:
    """Nothing for 0.7 seconds."""
    wire.pause(0.7)
    untouched(wire, answer)


def test_a_refusal_is_judged_before_the_session_is_idle_for_too_long(
    client_under_test: ClientUnderTest, wire: FaultyAws, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    for number in range(6):
        client_under_test.account.put_object(f"exports/e{number}/a.csv.gz", csv_gz("a\n1\n"))
    client_under_test.discover()
    client_under_test.account.set_bucket_policy(policy(DENY))
    settings.KCX_AWS_SECONDS = 1
    monkeypatch.setattr(load_session, "WORK_SECONDS", 1)
    wire.ever["GetObject"] = late
    file = SourceFile.objects.order_by("pk")[0]
    attempt = run.load(file.pk, "test")
    assert attempt is not None
    assert attempt.error_code == "explicit_deny"
    assert len(wire.asked("GetObject")) == 3, "its own, one in time, one that was not"
