"""A load that takes longer than a task may: its attempt says so, and the file is tried again."""

import os
import random
import signal

import pytest
from django_q.timeout import TimeoutHandler

from ingestion import tasks
from ingestion.models import LoadAttempt, SourceFile
from ingestion.pipeline import run
from tests.builders import ClientUnderTest
from tests.faulty_s3 import Answer, FaultyAws, Wire
from tests.processes import worker
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/a.csv"
NOISE = random.Random(1)
BODY = b"n,text\n" + b"".join(b"%d,%s\n" % (n, NOISE.randbytes(200).hex().encode()) for n in range(50_000))
PART = 2**17


def slowly(wire: Wire, answer: Answer) -> None:
    """Steadily, and so slowly that the whole takes most of a minute."""
    wire.send(answer.head)
    for start in range(0, len(answer.body), PART):
        wire.send(answer.body[start : start + PART])
        if wire.pause(0.3):
            return


@pytest.fixture
def file(client_under_test: ClientUnderTest) -> SourceFile:
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.discover()
    return client_under_test.file(KEY)


def assert_limited(client: ClientUnderTest, attempt: LoadAttempt) -> None:
    """It failed for now, by its time limit, and left nothing."""
    assert (attempt.outcome, attempt.error_code) == ("FAILED", "time_limit")
    assert "KCX_TASK_TIMEOUT_SECONDS" in attempt.error_message
    assert "KCX tries again" in attempt.next_action
    file = client.file(KEY)
    assert (file.status, file.error_code) == ("FAILED", "time_limit")
    assert file.next_retry_at is not None
    assert client.rows(KEY) == []


def test_the_limit_of_a_real_worker_is_told_by_the_attempt(
    client_under_test: ClientUnderTest, wire: FaultyAws, file: SourceFile
) -> None:
    wire.ever["GetObject"] = slowly
    with worker(KCX_TASK_TIMEOUT_SECONDS="4", KCX_WORKERS="1"):
        tasks.sweep()
        ended = LoadAttempt.objects.exclude(outcome="RUNNING")
        until(ended.exists, "the attempt ends")
        assert_limited(client_under_test, ended.get())


def test_a_discovery_that_its_limit_ends_says_so_and_the_next_finds_all(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    def limit(_wire: Wire, _answer: Answer) -> None:
        os.kill(os.getpid(), signal.SIGALRM)

    client_under_test.account.put_object(KEY, BODY)
    wire.script("ListObjectsV2", limit)
    with TimeoutHandler(3600):
        run = client_under_test.discover()
    assert (run.outcome, run.error_code) == ("FAILED", "time_limit")
    assert "KCX_TASK_TIMEOUT_SECONDS" in run.error_message
    assert client_under_test.discover().outcome == "SUCCEEDED"
    assert client_under_test.file(KEY).status == "NEW"


def test_a_limit_that_comes_inside_copy_leaves_a_session_that_loads_the_file_next(
    client_under_test: ClientUnderTest, file: SourceFile
) -> None:
    def alarmed(rows: int, _bytes: int) -> None:
        if rows:
            signal.raise_signal(signal.SIGALRM)

    with TimeoutHandler(3600):
        attempt = run.load(file.pk, "test", alarmed)
    assert attempt
    assert_limited(client_under_test, attempt)
    SourceFile.objects.update(next_retry_at=attempt.ended_at)
    assert [attempt.outcome for attempt in client_under_test.load_all()] == ["SUCCEEDED"]
    assert len(client_under_test.rows(KEY)) == 50_000
