"""The queries of docs/reading.md: they read the client's partition only, and answer what they are said to."""

import json
import re
from datetime import UTC, date, datetime

import pytest
from django.db import connection

from ingestion.models import Delivery, Export
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.server import SimulatedAws
from tests.billing.raw_rows import one
from tests.builders import csv_gz, new_client
from tests.ingestion.registered import NOON
from tests.test_house_rules import REPOSITORY

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

QUERIES = re.findall(r"```sql\n(.*?);\n```", (REPOSITORY / "docs" / "reading.md").read_text(), re.DOTALL)

OCTOBER = date(2026, 10, 1)
OCTOBER_20, NOVEMBER_3, NOVEMBER_5 = (
    datetime(2026, month, day, 12, tzinfo=UTC) for month, day in ((10, 20), (11, 3), (11, 5))
)
ABOUT_DELIVERIES = [query for query in QUERIES if "FROM billing_deliveries" in query or "not_final" in query]


def changed(delivery: Delivery) -> object:
    """Its restatement, as a cursor of Django's answers jsonb."""
    return one("SELECT restatement::text FROM ingestion_delivery WHERE id = %s", delivery.pk)[0]


def of_connection(query: str, connection_id: int) -> str:
    """The query about this connection and an export of it."""
    export_id = Export.objects.filter(connection=connection_id).values_list("pk", flat=True).get()
    own = query.replace("connection_id = 1", f"connection_id = {connection_id}")
    return own.replace("export_id = 1", f"export_id = {export_id}")


def answer(query: str, connection_id: int) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(of_connection(query, connection_id))
        return [tuple(row) for row in cursor.fetchall()]


def test_the_documented_queries_read_the_clients_partition_only(
    aws: SimulatedAws, raw_database: None
) -> None:
    clients = [new_client(aws) for _ in range(3)]
    clients[1].connection.client.name = "Acme"
    clients[1].connection.client.save()
    for client in clients:
        client.account.put_object(
            "exports/daily/one.csv.gz", csv_gz("lineItem/UnblendedCost,bill/InvoiceId\n1.5,\n"), at=NOON
        )
        client.ingest()
    partition = f"billing_rawrow_{clients[1].connection.pk}"
    read = []
    for query in QUERIES:
        own = of_connection(query, clients[1].connection.pk)
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")  # these tables are small
            cursor.execute(f"EXPLAIN (FORMAT JSON) {own}")
            plan = json.dumps(cursor.fetchone()[0])
            cursor.execute("RESET enable_seqscan")
        read.append(set(re.findall(r"billing_rawrow_\d+(?=\")", plan)))
        assert not read[-1] or f'"{partition}_pkey"' in plan
    assert len(read) == 11
    assert sorted(map(sorted, read)) == [*[[]] * 5, *[[partition]] * 6]


def test_what_is_current_restated_and_closed_is_answered(aws: SimulatedAws, raw_database: None) -> None:
    client = new_client(aws)
    client.connection.client.name = "Acme"
    client.connection.client.save()
    daily = ExportSpec("exports/", "daily", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
    service, header = BillingService(client.account), "lineItem/UnblendedCost,bill/InvoiceId\n"
    told = []
    for at, lines in ((OCTOBER_20, "1,\n"), (NOVEMBER_3, "1,\n2,\n"), (NOVEMBER_5, "1,42\n2,\n")):
        service.deliver(daily, OCTOBER, [csv_gz(header + lines)], at=at)
        client.ingest()
        told.append([answer(query, client.connection.pk) for query in ABOUT_DELIVERIES])
    first, second, third = Delivery.objects.order_by("delivered_at")
    of = (Export.objects.get().pk, "daily")
    assert told == [
        [
            [(*of, first.pk, "", OCTOBER_20, first.published_at)],
            [],
            [(*of, first.pk, OCTOBER_20, True)],
            [(1, 1)],
        ],
        [
            [(*of, second.pk, "", NOVEMBER_3, second.published_at)],
            [(*of, second.pk, second.published_at, changed(second))],
            [(*of, second.pk, NOVEMBER_3, False)],
            [(2, 2)],
        ],
        [
            [(*of, third.pk, "", NOVEMBER_5, third.published_at)],
            [(*of, third.pk, third.published_at, changed(third))],
            [(*of, third.pk, NOVEMBER_5, False)],
            [(2, 1)],
        ],
    ]
