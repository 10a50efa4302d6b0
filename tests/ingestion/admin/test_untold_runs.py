"""A run that dies while it asks AWS leaves no counts: the transparency page names every kind of them."""

from importlib import import_module

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test import Client as Browser
from django.urls import reverse

from ingestion.models import AwsUse, LoadAttempt, SourceFile
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, stall
from tests.ingestion.registered import NOON, a_delivery, a_scope, an_export
from tests.processes import python
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/a.csv.gz"
# Every kind of run, each in a thread, until the process is killed.
EVERY_KIND = """
from threading import Thread
from ingestion.access.check import run_access_check
from ingestion.models import SourceFile
from ingestion.pipeline import run
from ingestion.verification.one_row import compare_row
from ingestion.verification.verify import verify_file
for work in (
    lambda: run.discover({connection}, "x"),
    lambda: run.load({waiting}, "x"),
    lambda: run_access_check({connection}, "x"),
    lambda: verify_file({loaded}, "x", against_s3=True),
    lambda: compare_row(SourceFile.objects.get(pk={loaded}), 1, "x"),
    lambda: run.want_older_delivery({older}, "x"),
    run.publish_ready,
):
    Thread(target=work).start()
"""
# How many of them die in the midst of which request.
DYING = {"ListObjectsV2": 2, "GetObject": 3, "HeadObject": 2}


def page_of(client: ClientUnderTest, **query: str) -> str:
    person, _ = User.objects.get_or_create(username="chief", is_staff=True, is_superuser=True)
    browser = Browser()
    browser.force_login(person)
    address = reverse("admin:ingestion_clientconnection_transparency", args=[client.connection.pk])
    answer = browser.get(address, query, secure=True)
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


def something_of_each(client: ClientUnderTest) -> dict[str, int]:
    """A file that is loaded, one that waits, and two deliveries whose manifests are to be looked at."""
    client.account.put_object(KEY, csv_gz("n\n1\n"))
    client.ingest()
    client.account.put_object("exports/b.csv.gz", csv_gz("n\n2\n"))
    client.discover()
    export = an_export(client.connection, root="exports/m/", has_manifests=True)
    manifest = {"manifest_key": "exports/m/Manifest.json", "manifest_etag": '"m"'}
    scope = a_scope(export)
    a_delivery(scope, client.file(KEY), listed_keys=[KEY], **manifest)
    superseded = {"status": "SUPERSEDED", "superseded_at": NOON}
    older = a_delivery(scope, client.file(KEY), minute=-1, listed_keys=[KEY], **superseded, **manifest)
    return {
        "connection": client.connection.pk,
        "loaded": client.file(KEY).pk,
        "waiting": client.file("exports/b.csv.gz").pk,
        "older": older.pk,
    }


def test_every_kind_of_run_that_is_killed_while_it_asks_is_named(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    code = EVERY_KIND.format(**something_of_each(client_under_test))
    assert "Not complete" not in page_of(client_under_test)
    before = {operation: len(wire.asked(operation)) for operation in DYING}
    for operation in DYING:
        wire.ever[operation] = stall()
    with python(code) as process:
        until(
            lambda: {name: len(wire.asked(name)) - count for name, count in before.items()} == DYING,
            "all of them ask",
        )
        process.kill()
    died = list(AwsUse.objects.filter(ended_at=None))
    assert sorted(use.kind for use in died) == sorted(AwsUse.Kind.labels)
    page, table = page_of(client_under_test), page_of(client_under_test, format="csv")
    assert "Not complete" in page
    for use in died:
        assert f"{use.kind}: 1" in page
        assert use.session_name in page
        assert f",,{use.kind},{use.session_name},{use.actor},{use.subject},not known," in table.replace(
            '"', ""
        )


def test_another_connections_dead_runs_and_those_of_another_time_are_not_named(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.discover()
    open_use = AwsUse.objects.create(
        connection=client_under_test.connection, run="v1", actor="x", started_at="2026-01-05T10:00Z"
    )
    assert "Not complete" not in page_of(client_under_test)
    january = page_of(client_under_test, **{"from": "2026-01-01", "to": "2026-01-31"})
    assert "Verification: 1." in january
    assert open_use.session_name in january


def test_a_use_is_closed_once_and_never_deleted(client_under_test: ClientUnderTest) -> None:
    client_under_test.discover()
    use = AwsUse.objects.get()
    assert use.ended_at is not None
    for change in (lambda: AwsUse.objects.update(bytes_received=0), AwsUse.objects.all().delete):
        with pytest.raises(DatabaseError, match=r"never changed|append-only"):
            change()


def test_the_dead_of_before_this_was_recorded_are_named_too(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, csv_gz("n\n1\n"))
    client_under_test.ingest()
    died = LoadAttempt.objects.create(
        source_file=SourceFile.objects.get(),
        actor="x",
        worker="x",
        outcome="CRASHED",
        ended_at="2026-01-05T10:00Z",
    )
    migration = import_module("ingestion.migrations.0034_uses_begun")
    with connection.cursor() as cursor:
        cursor.execute(migration.DEAD_BEFORE)
        cursor.execute(migration.DEAD_BEFORE)
    assert [use.run for use in AwsUse.objects.filter(ended_at=None)] == [f"a{died.pk}"]
    assert "Load: 1." in page_of(client_under_test)
