"""Everything KCX does by day works with the rights of the loader."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.utils import timezone

from billing.models import RawRow
from ingestion.models import (
    ClientConnection,
    Delivery,
    DiscoveryRun,
    LoadAttempt,
    Receipt,
    SourceFile,
    WebhookDelivery,
    Worker,
)
from ingestion.queueing import queue_due_discoveries
from kcx.roles import Roles
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.events.conftest import LOOPBACK, an_endpoint
from tests.ingestion.events.receiver import Receiver, receiver
from tests.processes import python, worker
from tests.roles import login, roles_set_up
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

EXPORT = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
JANUARY = date(2026, 1, 1)
DAY = """
from ingestion import tasks
from ingestion.models import ClientConnection, SourceFile
from ingestion.reruns import reprocess, retry, waiting
connection = ClientConnection.objects.get(pk=int(input()))
def work(ask=lambda files: []):
    ask(SourceFile.objects.all())
    tasks.tick(); tasks.discover(connection.pk); tasks.sweep()
    for file in waiting(connection): tasks.load(file)
    tasks.sweep(); tasks.analyze()
"""
ONBOARDING = """
from ingestion.onboarding import onboard
fields = {"role_arn": "arn:aws:iam::210000000000:role/r", "bucket": "another-bucket", "prefix": ""}
made = onboard("Another client", {**fields, "region": "eu-west-1"}, None).connection
"""
PURGE = """
from django.core.management import call_command
from ingestion.access.enabling import disable
from ingestion.models import ClientConnection
connection = ClientConnection.objects.get(pk=int(input()))
disable(connection, "loader")
call_command("purge", connection=str(connection.pk), reason="It ended.", confirm=connection.name)
call_command("verify", connection=str(connection.pk))
"""
ADMIN = """
from django.conf import settings
settings.ALLOWED_HOSTS = ["testserver"]
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
browser = Client()
chief = User.objects.create_superuser("chief", password="of the tests")
for password, status in [("a guess", 200), ("of the tests", 302)]:
    fields = {"username": "chief", "password": password}
    assert browser.post(reverse("admin:login"), fields, secure=True).status_code == status
def opens(page, model, *arguments):
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)
    answer = browser.get(path, secure=True)
    assert answer.status_code == 200, (path, answer.status_code)
assert browser.get(reverse("admin:index"), secure=True).status_code == 200
for model in admin.site._registry:
    opens("changelist", model)
    if one := model._default_manager.first():
        opens("change", model, one.pk)
        opens("history", model, one.pk)
address = reverse("admin:ingestion_client_add")
fields = {"name": "From a page", "connections-TOTAL_FORMS": 0, "connections-INITIAL_FORMS": 0}
answer = browser.post(address, fields, secure=True)
assert answer.status_code == 302, answer.content.decode()
person = reverse("admin:auth_user_delete", args=[chief.pk])
assert browser.post(person, {"post": "yes"}, secure=True).status_code == 403
browser.post(reverse("admin:logout"), secure=True)
"""


@pytest.fixture
def roles(client_under_test: ClientUnderTest) -> Iterator[Roles]:
    with roles_set_up() as made:
        yield made


def as_loader(roles: Roles, code: str, *lines: object) -> None:
    """Run the code in a process of the loader's, which reads `lines`."""
    with python(code, login(roles.loader)) as process:
        process.communicate("".join(f"{line}\n" for line in lines), timeout=120)
        assert process.returncode == 0


def test_the_loader_discovers_loads_publishes_retries_and_reprocesses(
    client_under_test: ClientUnderTest, roles: Roles
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(EXPORT, JANUARY, [cur2_parquet(JANUARY, 50, 1)])
    client_under_test.account.put_object("exports/own.csv.gz", b"\x1f\x8b broken")
    connection = client_under_test.connection.pk

    as_loader(roles, DAY + "work()", connection)
    assert set(SourceFile.objects.values_list("status", "row_count")) == {("INGESTED", 50), ("FAILED", None)}
    assert Delivery.objects.filter(status="CURRENT").count() == 1

    as_loader(roles, DAY + "work(retry)", connection)
    as_loader(roles, DAY + "work(reprocess)", connection)
    outcomes = list(LoadAttempt.objects.order_by("id").values_list("is_reload", "outcome"))
    assert sorted(outcomes) == [(False, "FAILED")] * 3 + [(False, "SUCCEEDED"), (True, "SUCCEEDED")]
    assert RawRow.objects.count() == 50

    service.deliver(EXPORT, JANUARY, [cur2_parquet(JANUARY, 60, 2)])
    client_under_test.account.put_object("exports/own.csv.gz", csv_gz("a,b\n1,2\n"))
    as_loader(roles, DAY + "work()", connection)
    assert Delivery.objects.filter(status="SUPERSEDED").count() == 2, "the month, and the broken file"
    assert RawRow.objects.count() == 50 + 60 + 1
    assert set(DiscoveryRun.objects.values_list("outcome", flat=True)) == {"SUCCEEDED"}


def test_the_loader_closes_what_a_dead_worker_left_open(
    client_under_test: ClientUnderTest, roles: Roles
) -> None:
    client_under_test.account.put_object("exports/own.csv.gz", csv_gz("a,b\n1,2\n"))
    client_under_test.discover()
    file = client_under_test.file("exports/own.csv.gz")
    LoadAttempt.objects.create(source_file=file, actor="test", worker="gone:1")
    DiscoveryRun.objects.create(connection=client_under_test.connection, actor="test")
    as_loader(roles, DAY + "work()", client_under_test.connection.pk)
    assert list(LoadAttempt.objects.order_by("id").values_list("outcome", flat=True)) == [
        "CRASHED",
        "SUCCEEDED",
    ]
    assert not DiscoveryRun.objects.filter(outcome="RUNNING").exists()


def test_the_loader_onboards_a_client(roles: Roles) -> None:
    as_loader(roles, ONBOARDING)
    assert ClientConnection.objects.filter(bucket="another-bucket").exists()


def test_the_loader_purges_a_connection_and_the_chain_verifies(
    client_under_test: ClientUnderTest, roles: Roles
) -> None:
    client_under_test.account.put_object("exports/own.csv.gz", csv_gz("a,b\n1,2\n"))
    client_under_test.ingest()
    assert RawRow.objects.exists()
    as_loader(roles, PURGE, client_under_test.connection.pk)
    assert not RawRow.objects.exists()
    assert Receipt.objects.latest("sequence").kind == "PURGE"


def test_every_page_of_the_admin_opens_for_the_loader(
    client_under_test: ClientUnderTest, roles: Roles
) -> None:
    client_under_test.account.put_object("exports/own.csv.gz", csv_gz("a,b\n1,2\n"))
    client_under_test.ingest()
    as_loader(roles, ADMIN)


def test_a_worker_of_the_loaders_loads_what_is_due_and_tells_it(
    client_under_test: ClientUnderTest, roles: Roles, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(EXPORT, JANUARY, [cur2_parquet(JANUARY, 50, 1)])
    assert queue_due_discoveries() == 1
    Worker.objects.create(name="long gone", seen_at=timezone.now() - timedelta(days=30))
    with receiver() as listening:
        monkeypatch.setenv("KCX_WEBHOOK_HOSTS", f"http://127.0.0.1:{listening.port}")
        monkeypatch.setenv("KCX_WEBHOOK_NETWORKS", LOOPBACK)
        an_endpoint(f"http://127.0.0.1:{listening.port}/")
        loads_and_tells(roles, listening)
    assert not Worker.objects.filter(name="long gone").exists()


def loads_and_tells(roles: Roles, listening: Receiver) -> None:
    with worker(login(roles.loader)) as supervisor:
        until(lambda: Delivery.objects.filter(status="CURRENT").exists(), "the month is current")
        until(lambda: WebhookDelivery.objects.filter(status_code=204).exists(), "the webhook is delivered")
        assert b'"type":"delivery.published"' in listening.requests[0].body
        supervisor.terminate()
        assert supervisor.wait(timeout=60) == 0
