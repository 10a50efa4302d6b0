"""Before publishing, the bucket is asked for the manifest, unless it is known to refuse or not to answer."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.db import connection

from ingestion import tasks
from ingestion.deliveries.manifest_check import ManifestCheck
from ingestion.models import AwsUse, ClientConnection, Delivery, LoadAttempt
from tests.builders import ClientUnderTest, let_in_again
from tests.faulty_s3 import FaultyAws, answering, held
from tests.ingestion.registered import a_delivery, a_scope, an_export, ingested, running
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])


@pytest.fixture
def deliveries(client_under_test: ClientUnderTest) -> list[Delivery]:
    """Three whose files are loaded, and whose manifests the bucket is asked for."""
    made = []
    for number in range(3):
        export = an_export(client_under_test.connection, root=f"exports/{number}/", has_manifests=True)
        manifest = {"manifest_key": f"exports/{number}/Manifest.json", "manifest_etag": '"m"'}
        made.append(a_delivery(a_scope(export), ingested(export), listed_keys=[], **manifest))
    return made


def test_a_bucket_that_does_not_answer_is_asked_once_a_pass(
    deliveries: list[Delivery], wire: FaultyAws
) -> None:
    wire.ever["HeadObject"] = answering(503, "SlowDown")
    check = ManifestCheck()
    assert [check.unchanged(delivery) for delivery in deliveries] == [False] * 3
    assert {request.target for request in wire.asked("HeadObject")} == {wire.asked("HeadObject")[0].target}


def test_what_else_a_sweep_does_waits_for_no_bucket(deliveries: list[Delivery], wire: FaultyAws) -> None:
    go_on = Event()
    wire.script("HeadObject", held(go_on))
    with ThreadPoolExecutor(1) as pool:
        publishing = pool.submit(swept)
        until(lambda: wire.asked("HeadObject"), "a sweep waits for the bucket")
        running(deliveries[0].files.get())
        tasks.sweep()
        assert LoadAttempt.objects.get().outcome == "CRASHED"
        assert len(wire.asked("HeadObject")) == 1, "one sweep at a time publishes"
        go_on.set()
        publishing.result(timeout=60)


def swept() -> None:
    try:
        tasks.sweep()
    finally:
        connection.close()


def test_a_sweep_asks_nobody_who_is_disabled_or_refused_kcx(
    client_under_test: ClientUnderTest, deliveries: list[Delivery]
) -> None:
    asked = AwsUse.objects.filter(run__startswith="p")
    tasks.sweep()
    assert asked.count() == len(deliveries)
    client_under_test.account.delete_role()
    client_under_test.discover()
    tasks.sweep()
    assert asked.count() == len(deliveries)
    let_in_again(client_under_test)
    client_under_test.discover()
    before = asked.count()
    ClientConnection.objects.update(enabled=False)
    tasks.sweep()
    assert asked.count() == before
