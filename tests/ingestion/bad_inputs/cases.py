"""What a row of the catalogue says: a file, and what must become of it."""

import json
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from billing.models import RawRow
from ingestion.models import LoadAttempt, Receipt, SourceFile
from tests.builders import ClientUnderTest

# Stands in the values of files that are refused: nothing KCX writes down may show it.
SECRET = "Secret"
GOOD = "exports/good/lines.csv"
Row = list[str | None]


@dataclass(frozen=True)
class Refused:
    """A file that fails: its error, part of the message, the row and column told, and evidence there is."""

    name: str
    body: bytes
    code: str
    says: str
    row: int | None = None
    column: str = ""
    evidence: tuple[str, ...] = ()
    looks: int = 1


@dataclass(frozen=True)
class Accepted:
    """A file that only looks odd: its very columns and rows, and what its receipt tells of them."""

    name: str
    body: bytes
    columns: list[str]
    rows: list[Row]
    blank_lines: int = 0
    lone_returns: int = 0
    repeated: tuple[str, ...] = ()
    looks: int = 1


Case = Refused | Accepted


def key_of(title: str, case: Case) -> str:
    """Every case has a folder of its own, and so an export of its own."""
    return f"exports/{title}/{case.name}"


def ingest(client: ClientUnderTest, cases: dict[str, Case]) -> None:
    """Put them into the bucket, a good file among them; discover; load."""
    client.account.put_object(GOOD, b"a,b\n1,2\n")
    for title, case in cases.items():
        client.account.put_object(key_of(title, case), case.body)
    client.ingest()
    again = SourceFile.objects.filter(next_retry_at__isnull=False)
    assert set(again.values_list("key", flat=True)) == {
        key_of(title, case) for title, case in cases.items() if case.looks > 1
    }
    again.update(next_retry_at=timezone.now())
    client.ingest()
    assert client.rows(GOOD) == [["1", "2"]]
    assert client.file(GOOD).status == SourceFile.Status.INGESTED


def outcome(client: ClientUnderTest, title: str, case: Case) -> str:
    """What is wrong with what became of a case; "" where nothing is."""
    file = client.file(key_of(title, case))
    attempts = list(LoadAttempt.objects.filter(source_file=file))
    if len(attempts) != case.looks:
        return f"{len(attempts)} attempts"
    found = {**_found(file, attempts[0]), "rows": client.rows(file.key)}
    expected = _refused(case) if isinstance(case, Refused) else _accepted(case)
    if SECRET in str(list(LoadAttempt.objects.filter(pk=attempts[0].pk).values())):
        return f"the attempt shows a value: {attempts[0].error_message} {attempts[0].evidence}"
    if isinstance(case, Refused) and case.says not in file.error_message:
        return f"{file.error_message!r} does not say {case.says!r}"
    return "" if found == expected else f"{found} is not {expected}"


def _found(file: SourceFile, attempt: LoadAttempt) -> dict[str, object]:
    return {
        "status": file.status,
        "code": file.error_code,
        "waits for": file.next_retry_at,
        "says what to do": bool(file.next_action),
        "row": attempt.error_row,
        "column": attempt.error_column,
        "evidence": set(attempt.evidence),
        "columns": file.layout.names if file.layout else None,
        "oddities": _oddities(file),
    }


def _oddities(file: SourceFile) -> list[Any] | None:
    """As the file's receipt tells them."""
    receipt = Receipt.objects.filter(source_file=file).first()
    names = ("blank_lines", "lone_returns", "repeated_names")
    return [json.loads(receipt.body)[name] for name in names] if receipt else None


def _refused(case: Refused) -> dict[str, object]:
    return {
        "status": SourceFile.Status.FAILED,
        "code": case.code,
        "waits for": None,  # permanent: only a person or a new version has it read again
        "says what to do": True,
        "row": case.row,
        "column": case.column,
        "evidence": set(case.evidence),
        "columns": None,
        "oddities": None,
        "rows": [],
    }


def _accepted(case: Accepted) -> dict[str, object]:
    return {
        "status": SourceFile.Status.INGESTED,
        "code": "",
        "waits for": None,
        "says what to do": False,
        "row": None,
        "column": "",
        "evidence": set(),
        "columns": case.columns,
        "oddities": [case.blank_lines, case.lone_returns, list(case.repeated)],
        "rows": case.rows,
    }


def stored_rows(client: ClientUnderTest) -> int:
    """All rows of the client."""
    return RawRow.objects.filter(connection_id=client.connection.pk).count()
