"""Every list of the admin asks the database as often for thirty rows as for three."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.signing import dumps
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from ingestion.models import (
    AccessCheck,
    AwsUse,
    ClientConnection,
    DiscoveryRun,
    Event,
    Receipt,
    StaffAction,
    Verification,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    Worker,
)
from kcx.api.models import ServiceUser, Token
from tests.ingestion.registered import (
    a_connection,
    a_delivery,
    a_scope,
    an_export,
    failed,
    ingested,
    running,
)

pytestmark = pytest.mark.django_db

# Rows of their own: a list must not be cheap because all its rows lead to the same connection.


def fill(number: int) -> None:
    """One more of everything that has a list."""
    one = a_connection()
    export = an_export(one)
    file = ingested(export)
    delivery = a_delivery(a_scope(export), file)
    running(failed(export))
    now = timezone.now()
    ended: dict[str, Any] = {"started_at": now, "ended_at": now}
    DiscoveryRun.objects.create(connection=one, actor="schedule")
    AccessCheck.objects.create(connection=one, actor="schedule", outcome="PASSED", ended_at=now, rungs=[])
    AwsUse.objects.create(
        connection=one,
        run=f"a{number}",
        actor="schedule",
        calls={"GetObject": {"sent": 1, "refused": 0}},
        bytes_received=1,
        **ended,
    )
    StaffAction.objects.create(connection=one, source_file=file, actor="operator", action="retry")
    Verification.objects.create(
        connection=one, source_file=file, actor="x", outcome="EQUAL", report={}, **ended
    )
    receipt: dict[str, Any] = {"connection": one, "created_at": now, "body": "{}", "sha256": f"{number:064x}"}
    Receipt.objects.create(sequence=1, kind="FILE", source_file=file, previous_sha256="0" * 64, **receipt)
    Receipt.objects.create(
        sequence=2, kind="DELIVERY", delivery=delivery, previous_sha256="1" * 64, **receipt
    )
    Worker.objects.create(name=f"host:{number}", seen_at=now)
    task: dict[str, Any] = {"name": f"task {number}", "func": "ingestion.tasks.tick"}
    for success in (True, False):
        Task.objects.create(id=f"{number}{success}", started=now, stopped=now, success=success, **task)
    OrmQ.objects.create(key="kcx", payload=dumps({"id": str(number), **task}), lock=now)
    User.objects.create_user(f"person {number}", is_staff=True).groups.add(Group.objects.first())
    Group.objects.create(name=f"group {number}")
    fill_outgoing(number, one)


def fill_outgoing(number: int, one: ClientConnection) -> None:
    """One more of what leaves KCX: tokens, events, webhooks."""
    now = timezone.now()
    program = ServiceUser.objects.create(name=f"program {number}")
    program.clients.add(one.client)
    Token.make(program, "chief", timedelta(days=1))
    event = Event.objects.create(
        kind="file.failed", client=one.client, connection=one, dedupe_key=f"{number}", payload={}
    )
    endpoint = WebhookEndpoint.objects.create(
        name=f"endpoint {number}", client=one.client, url="https://a.example/", seed="s", fingerprint="f"
    )
    message = WebhookMessage.objects.create(
        event=event, endpoint=endpoint, waiting_since=now, next_try_at=now
    )
    WebhookDelivery.objects.create(message=message, at=now, seconds=1, status_code=500)


LISTS = sorted(
    model._meta.label_lower for model in admin.site._registry if model is not Schedule
)  # the database allows KCX's own schedules only


@pytest.fixture
def queries_of(client: Browser) -> Callable[[str], int]:
    """How many queries a list takes for a superuser."""
    client.force_login(User.objects.create_superuser("chief"))

    def count(label: str) -> int:
        page = reverse("admin:{}_{}_changelist".format(*label.split(".")))
        assert client.get(page, secure=True).status_code == 200  # what is asked once is not the page's
        with CaptureQueriesContext(connection) as captured:
            shown = client.get(page, secure=True)
        assert len(shown.context["cl"].result_list) >= 3
        return len(captured)

    return count


def test_no_list_asks_more_often_for_more_rows(queries_of: Callable[[str], int]) -> None:
    Group.objects.get_or_create(name="group")
    for number in range(3):
        fill(number)
    few = {label: queries_of(label) for label in LISTS}
    for number in range(3, 30):
        fill(number)
    assert {label: queries_of(label) for label in LISTS} == few
    assert max(few.values()) <= 20
