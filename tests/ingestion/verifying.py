"""Runs `verify` and `receipts`, and tampers with what they look at."""

import io
import json

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from tests.builders import ClientUnderTest


def told(*arguments: str) -> tuple[int, str]:
    """The exit status, and what is printed."""
    out = io.StringIO()
    try:
        call_command(*arguments, stdout=out)
    except CommandError as error:
        return error.returncode, out.getvalue()
    return 0, out.getvalue()


def verify(client: ClientUnderTest, *arguments: str) -> tuple[int, set[str], str]:
    """The exit status, the kinds of differences, and the sentences told."""
    status, text = told("verify", "--connection", str(client.connection.pk), "--json", *arguments)
    reports = json.loads(text)
    kinds = {kind for report in reports for kind in report["counts"]}
    sentences = [told["sentence"] for report in reports for told in report["first_differences"]]
    return status, kinds, "\n".join(sentences)


def head_of(client: ClientUnderTest) -> str:
    status, line = told("receipts", "--connection", str(client.connection.pk), "--head")
    head = json.loads(line)
    assert (status, head["connection"]) == (0, client.connection.pk)
    return f"{head['sequence']}:{head['sha256']}"


def tamper(*statements: str) -> None:
    """As the database's owner can: with every trigger that is in the way switched off."""
    tables = ["receipt", "receiptchain", "sourcefile", "delivery", "loadattempt"]
    tables = [f"ingestion_{name}" for name in tables]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'billing_rawrow'::regclass"
        )
        tables += ["billing_rawrow", *(name for (name,) in cursor.fetchall())]
        cursor.execute(
            "SELECT tgrelid::regclass, tgenabled, tgname FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgenabled <> 'O' AND tgrelid = ANY (%s::regclass[])",
            [tables],
        )
        as_they_were = cursor.fetchall()
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
        for table, state, name in as_they_were:
            how = {"A": "ENABLE ALWAYS", "D": "DISABLE"}[state]
            cursor.execute(f"ALTER TABLE {table} {how} TRIGGER {name}")
