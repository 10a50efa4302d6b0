"""One of everything that has a page in the admin."""

import json
from datetime import timedelta
from typing import Any

from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import Group, User
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.tasks import async_task

from ingestion.models import (
    AccessCheck,
    AwsUse,
    Client,
    ClientConnection,
    Delivery,
    DiscoveryRun,
    Event,
    ExportColumn,
    LoadAttempt,
    Receipt,
    SourceFile,
    StaffAction,
    Verification,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookMessage,
    Worker,
)
from kcx.api.models import ServiceUser, Token
from tests.ingestion.registered import a_connection, a_delivery, a_scope, an_export, failed, ingested, running


def one_of_everything(number: int = 1, text: str = "text") -> dict[str, Any]:
    """One more of each, by label; what a client, AWS or a person writes in it is `text` (and the number)."""
    name = f"{text} {number}"
    client = Client.objects.create(name=name)
    connection = a_connection(name=name, client=client, prefix=f"{text}/", last_discovered_at=timezone.now())
    export = an_export(connection, root=f"{text}/", name=name)
    now = timezone.now()
    ExportColumn.objects.create(export=export, name=text, first_seen_at=now, last_seen_at=now)
    file = ingested(export)
    broken = failed(export, key=f"{text}/a.csv", error_message=text, next_action=text)
    told = {"snapshot": text, "listed_keys": [text], "reason": text, "manifest_key": text}
    delivery = a_delivery(a_scope(export), file, broken, **told)
    running(broken)
    made = [
        *(client, connection, export, broken, delivery, *_history(connection, file, delivery, text)),
        *(_receipt(connection, file, delivery, text, number), *_outgoing(connection, text, number)),
        *_people(name),
    ]
    return {one._meta.label_lower: one for one in made} | _queue(text, number)


def _history(connection: ClientConnection, file: SourceFile, delivery: Delivery, text: str) -> list[Any]:
    now = timezone.now()
    ended: dict[str, Any] = {"started_at": now, "ended_at": now}
    told = {"actor": text, "error_message": text, "next_action": text}
    rung = {"code": "list", "title": text, "verdict": "failed", "cause": text, "remedy": text}
    counted = {"sent": 1_234_567, "refused": 0}
    of_it: dict[str, Any] = {"connection": connection}
    attempt = {"worker": text, "outcome": "FAILED", "error_code": "corrupt_gzip", "error_column": text}
    return [
        LoadAttempt.objects.create(source_file=file, ended_at=now, bytes_read=1_234_567, **told, **attempt),
        DiscoveryRun.objects.create(counts={text: 1}, listed=1_234, listed_bytes=1_234_567, **told, **of_it),
        AccessCheck.objects.create(actor=text, outcome="FAILED", ended_at=now, rungs=[rung], **of_it),
        AwsUse.objects.create(
            run=f"a{file.pk}",
            actor=text,
            subject=text,
            calls={"GetObject": counted},
            bytes_received=1_234_567,
            session_arn=text,
            **ended,
            **of_it,
        ),
        StaffAction.objects.create(
            source_file=file, actor=text, action="retry", reason=text, detail={text: text}, **of_it
        ),
        Verification.objects.create(
            source_file=file, actor=text, outcome="EQUAL", report={"cell": text}, **ended, **of_it
        ),
    ]


def _receipt(
    connection: ClientConnection, file: SourceFile, delivery: Delivery, text: str, number: int
) -> Receipt:
    told: dict[str, Any] = {
        "connection": connection,
        "created_at": timezone.now(),
        "sha256": f"{number:064x}",
    }
    of_file = {"kind": "FILE", "source_file": file, "previous_sha256": "0" * 64}
    first = Receipt.objects.create(sequence=1, body=json.dumps({"key": text}), **of_file, **told)
    Receipt.objects.create(
        sequence=2, kind="DELIVERY", delivery=delivery, previous_sha256="1" * 64, body="{}", **told
    )
    return first


def _outgoing(connection: ClientConnection, text: str, number: int) -> list[Any]:
    """What leaves KCX: tokens, events, webhooks."""
    now, name = timezone.now(), f"{text} {number}"
    program = ServiceUser.objects.create(name=name)
    program.clients.add(connection.client)
    token, _secret = Token.make(program, text, timedelta(days=1))
    event = Event.objects.create(
        kind="file.failed",
        client=connection.client,
        connection=connection,
        dedupe_key=name,
        payload={"a": text},
    )
    endpoint = WebhookEndpoint.objects.create(
        name=name, client=connection.client, url="https://a.example/", seed="s", fingerprint="f"
    )
    message = WebhookMessage.objects.create(
        event=event, endpoint=endpoint, waiting_since=now, next_try_at=now, reason=text
    )
    delivery = WebhookDelivery.objects.create(
        message=message, at=now, seconds=1, status_code=500, error_message=text, answer=text
    )
    return [program, token, event, endpoint, message, delivery]


def _people(name: str) -> list[Any]:
    group = Group.objects.create(name=name)
    person = User.objects.create_user(name, is_staff=True, first_name=name, last_login=timezone.now())
    person.groups.add(group)
    came_in: dict[str, Any] = {"username": name, "user_agent": name, "ip_address": "10.1.1.1"}
    login = AccessLog.objects.create(**came_in)
    wrong = AccessAttempt.objects.create(failures_since_start=1, **came_in)
    return [group, person, login, wrong]


def _queue(text: str, number: int) -> dict[str, Any]:
    now = timezone.now()
    task: dict[str, Any] = {"name": f"{text} {number}", "func": "ingestion.tasks.tick"}
    for success in (True, False):
        Task.objects.create(
            id=f"{number}{success}", started=now, stopped=now, success=success, result=text, **task
        )
    async_task("ingestion.tasks.tick", task_name=task["name"])
    return {
        "ingestion.worker": Worker.objects.create(
            name=f"{text}:{number}", seen_at=now, begun_at=now, restart_reason=text
        ),
        "django_q.success": Success.objects.get(pk=f"{number}True"),
        "django_q.failure": Failure.objects.get(pk=f"{number}False"),
        "django_q.ormq": OrmQ.objects.latest("pk"),
        "django_q.schedule": Schedule.objects.first(),  # the database allows KCX's own schedules only
    }
