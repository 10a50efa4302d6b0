"""Situations the dashboard is shown in, written straight into the tables, as the pipeline leaves them."""

import itertools
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.utils import timezone
from django_q.models import Schedule

from billing.models import ColumnLayout
from ingestion.models import (
    AccessCheck,
    Client,
    ClientConnection,
    Delivery,
    DeliveryScope,
    DiscoveryRun,
    Export,
    LoadAttempt,
    SourceFile,
    Verification,
    Worker,
)
from ingestion.schedules import TICK

_numbers = itertools.count(1)
Status = SourceFile.Status


def this_month() -> date:
    return timezone.now().astimezone(UTC).date().replace(day=1)


def months_ago(count: int) -> date:
    index = this_month().year * 12 + this_month().month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def a_connection(name: str = "", *, enabled: bool = True, client: str = "") -> ClientConnection:
    number = next(_numbers)
    name = name or f"connection no. {number:03}"
    owner, _ = Client.objects.get_or_create(name=client or f"client of {name}")
    return ClientConnection.objects.create(
        client=owner,
        name=name,
        bucket=f"bucket-{number}",
        role_arn="arn:aws:iam::123456789012:role/kcx",
        enabled=enabled,
        last_discovered_at=timezone.now(),
    )


def an_export(
    connection: ClientConnection, name: str = "cur", decision: str = "LOAD", key_layout: str = "legacy_cur"
) -> Export:
    return Export.objects.create(
        connection=connection, root="exports/", name=name, key_layout=key_layout, decision=decision
    )


def a_file(export: Export, status: str = Status.INGESTED, **values: Any) -> SourceFile:
    number = next(_numbers)
    values = {"key": f"exports/{number}.csv.gz", "billing_period_start": this_month(), **values}
    if period := values["billing_period_start"]:
        values["billing_period_end"] = period + timedelta(days=28)
    if status == Status.INGESTED:
        layout, _ = ColumnLayout.objects.get_or_create(
            digest="0" * 64, defaults={"names": ["a"], "types": ["string"]}
        )
        values = {"ingested_at": timezone.now(), "row_count": 10, "rows_sha256": "0" * 64, **values}
        values["layout"] = layout
    if status == Status.FAILED:
        values = {"error_code": "corrupt_gzip", "error_message": "It is cut short.", **values}
    always = {
        "connection": export.connection,
        "export": export,
        "etag": f'"{number}"',
        "size": 1000,
        "last_modified": timezone.now(),
        "storage_class": "STANDARD",
        "status": status,
    }
    return SourceFile.objects.create(**{**always, **values})


def a_delivery(
    export: Export,
    status: str = "CURRENT",
    *,
    at: datetime | None = None,
    period: date | None = None,
    key: str = "",
    files: Sequence[SourceFile] = (),
) -> Delivery:
    scope, _ = DeliveryScope.objects.get_or_create(
        export=export, billing_period_start=period or this_month(), key=key
    )
    at = at or timezone.now() - timedelta(hours=1)
    published = at + timedelta(minutes=5) if status in {"CURRENT", "SUPERSEDED"} else None
    delivery = Delivery.objects.create(
        scope=scope,
        snapshot_id=f"snapshot {next(_numbers)}",
        status=status,
        reason="A listed file is missing." if status == "INCOMPLETE" else "",
        delivered_at=at,
        published_at=published,
        superseded_at=timezone.now() if status == "SUPERSEDED" else None,
    )
    delivery.files.add(*files, through_defaults={"last_modified": at})
    return delivery


def deliveries_every(export: Export, hours: float, count: int, *, last: float) -> None:
    """`count` deliveries of the running month, the last so many hours ago and current."""
    newest = timezone.now() - timedelta(hours=last)
    for back in range(count - 1, -1, -1):
        a_delivery(export, "SUPERSEDED" if back else "CURRENT", at=newest - timedelta(hours=back * hours))


def a_discovery(connection: ClientConnection, code: str = "", message: str = "") -> DiscoveryRun:
    return DiscoveryRun.objects.create(
        connection=connection,
        actor="test",
        outcome="FAILED" if code else "SUCCEEDED",
        ended_at=timezone.now(),
        error_code=code,
        error_message=message,
        next_action="Do this." if code else "",
    )


def a_check(connection: ClientConnection, outcome: str, *rungs: dict[str, str]) -> AccessCheck:
    return AccessCheck.objects.create(
        connection=connection,
        actor="test",
        outcome=outcome,
        ended_at=None if outcome == "RUNNING" else timezone.now(),
        rungs=list(rungs),
    )


def a_verification(
    connection: ClientConnection, outcome: str, file: SourceFile | None = None, *, against_s3: bool = False
) -> Verification:
    now = timezone.now()
    values = {"actor": "test", "started_at": now, "ended_at": now, "report": {}, "against_s3": against_s3}
    return Verification.objects.create(connection=connection, source_file=file, outcome=outcome, **values)


def a_load(file: SourceFile, *, rows: int, bytes_read: int, seconds: float) -> LoadAttempt:
    attempt = LoadAttempt.objects.create(source_file=file, actor="test", worker="w", rows=rows)
    told_at = attempt.started_at + timedelta(seconds=seconds)
    LoadAttempt.objects.filter(pk=attempt.pk).update(progress_at=told_at, bytes_read=bytes_read)
    return attempt


def a_worker() -> Worker:
    now = datetime.now(UTC)
    Schedule.objects.filter(name=TICK).update(next_run=now)
    return Worker.objects.create(name="host:1", seen_at=now, begun_at=now)


def a_member(group: str | None) -> Browser:
    """Logged in, of that group; None: staff without any."""
    user = User.objects.create_user(f"user {next(_numbers)}", is_staff=True)
    if group:
        user.groups.add(Group.objects.get(name=group))
    browser = Browser()
    browser.force_login(user)
    return browser
