"""A key that is overwritten each time it is read: after some versions KCX waits before it reads the next."""

import pytest
from django.utils import timezone

from ingestion.models import SourceFile
from ingestion.pipeline.overwritten import MOST_LOST, hold_back
from ingestion.pipeline.retry import JITTER, LONGEST_RETRY, pause
from tests.billing.raw_rows import second_session
from tests.builders import ClientUnderTest, csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])
KEY = "exports/still/written.csv.gz"


def overwrite(client: ClientUnderTest, number: int) -> None:
    client.account.put_object(KEY, csv_gz(f"a\n{number}\n"))


def lose(client: ClientUnderTest, number: int) -> SourceFile:
    """One more version that is registered, and overwritten before its load."""
    client.discover()
    file = client.file(KEY)
    overwrite(client, number)
    return file


def test_after_some_lost_versions_the_next_one_waits_and_then_loads(
    client_under_test: ClientUnderTest,
) -> None:
    overwrite(client_under_test, 0)
    for number in range(1, MOST_LOST + 1):
        lost = lose(client_under_test, number)
        assert lost.next_retry_at is None
        assert [attempt.error_code for attempt in client_under_test.load_all()] == ["object_changed"]
    client_under_test.discover()
    held = client_under_test.file(KEY)
    assert held.status == SourceFile.Status.NEW
    assert held.next_retry_at is not None
    assert held.next_retry_at - timezone.now() > pause(MOST_LOST) * (1 - JITTER) / 2
    assert client_under_test.load_all() == []
    SourceFile.objects.filter(pk=held.pk).update(next_retry_at=timezone.now())
    client_under_test.load_all()
    assert client_under_test.rows(KEY) == [[str(MOST_LOST)]]


def test_a_version_that_was_read_between_ends_the_count(client_under_test: ClientUnderTest) -> None:
    overwrite(client_under_test, 0)
    for number in range(1, MOST_LOST):
        lose(client_under_test, number)
        client_under_test.load_all()
    client_under_test.ingest()
    assert client_under_test.rows(KEY) == [[str(MOST_LOST - 1)]]
    overwrite(client_under_test, 100)
    lose(client_under_test, 101)
    client_under_test.load_all()
    client_under_test.ingest()
    assert client_under_test.rows(KEY) == [["101"]]


def test_a_version_that_is_loading_is_neither_waited_for_nor_made_to_wait(
    client_under_test: ClientUnderTest,
) -> None:
    overwrite(client_under_test, 0)
    for number in range(1, MOST_LOST + 1):
        lost = lose(client_under_test, number)
        client_under_test.load_all()
    client_under_test.discover()
    newest = client_under_test.file(KEY)
    SourceFile.objects.filter(pk=newest.pk).update(next_retry_at=None)
    with second_session() as worker:
        worker.execute("SELECT FROM ingestion_sourcefile WHERE id = %s FOR NO KEY UPDATE", [newest.pk])
        assert hold_back([lost.pk]) == []
    newest.refresh_from_db()
    assert newest.next_retry_at is None
    assert hold_back([lost.pk]) == [newest.pk]


def test_pauses_grow_to_a_bound_and_what_failed_together_is_spread() -> None:
    for failures in range(1, 40):
        drawn = [pause(failures) for _ in range(200)]
        longest = min(2 ** (failures - 1) * 60, LONGEST_RETRY.total_seconds())
        seconds = [one.total_seconds() for one in drawn]
        assert longest * (1 - JITTER) <= min(seconds) < max(seconds) <= longest
        assert max(seconds) - min(seconds) > longest * JITTER / 2
