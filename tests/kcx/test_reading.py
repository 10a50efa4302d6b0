"""The queries of docs/reading.md, explained over three connections: only the client's partition is read."""

import json
import re

import pytest
from django.db import connection

from kcx.simulated_aws.server import SimulatedAws
from tests.builders import csv_gz, new_client
from tests.ingestion.registered import NOON
from tests.test_house_rules import REPOSITORY

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

QUERIES = re.findall(r"```sql\n(.*?);\n```", (REPOSITORY / "docs" / "reading.md").read_text(), re.DOTALL)


def test_the_documented_queries_read_the_clients_partition_only(
    aws: SimulatedAws, raw_database: None
) -> None:
    clients = [new_client(aws) for _ in range(3)]
    clients[1].connection.client.name = "Acme"
    clients[1].connection.client.save()
    for client in clients:
        client.account.put_object(
            "exports/daily/one.csv.gz", csv_gz("lineItem/UnblendedCost\n1.5\n"), at=NOON
        )
        client.ingest()
    partition = f"billing_rawrow_{clients[1].connection.pk}"
    read = []
    for query in QUERIES:
        own = query.replace("connection_id = 1", f"connection_id = {clients[1].connection.pk}")
        with connection.cursor() as cursor:
            cursor.execute("SET enable_seqscan = off")  # these tables are small
            cursor.execute(f"EXPLAIN (FORMAT JSON) {own}")
            plan = json.dumps(cursor.fetchone()[0])
            cursor.execute("RESET enable_seqscan")
        read.append(set(re.findall(r"billing_rawrow_\d+(?=\")", plan)))
        assert not read[-1] or f'"{partition}_pkey"' in plan
    assert len(read) == 7
    assert sorted(map(sorted, read)) == [[], [], *[[partition]] * 5]
