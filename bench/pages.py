"""`python -m bench.pages`: times of the pages staff look at, with 300 connections and a million files."""

import argparse
import os
import statistics
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import database
from bench.__main__ import FOLDER, FOREIGN

MONTHS, REFRESHES = 13, 20
FILL = Path(__file__).with_name("pages.sql")


def main() -> None:
    """Fill a throw-away database, then ask for each page several times."""
    parser = argparse.ArgumentParser(prog="bench.pages", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--connections", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    options = parser.parse_args()
    with ExitStack() as stack:
        server_url = os.environ.get("DATABASE_URL") or database.embedded_url(FOLDER / "postgres")
        use(stack.enter_context(database.throw_away(server_url)))
        began = time.monotonic()
        fill(options.files, options.connections)
        print(f"{options.files:,} files, {options.connections} connections; made in {_since(began):.0f} s")
        print(f"  {'median of ' + str(options.rounds):34} {'page':>8} {'its SQL':>8} {'queries':>8}")
        for told, address, *form in pages():
            page, sql, queries = measured(address, options.rounds, *form)
            print(f"  {told:34} {page:5.0f} ms {sql:5.0f} ms {queries:8}")


def use(url: str) -> None:
    """Django on that database, as the web server has it."""
    import django  # noqa: PLC0415  # its settings come from the environment

    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "kcx.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": "of the benchmark",
    }
    django.setup()


def fill(files: int, connections: int) -> None:
    """A registry of that size, analysed and vacuumed as autovacuum leaves it."""
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    sizes = {
        "files": files,
        "connections": connections,
        "clients": max(connections // 3, 1),
        "months": MONTHS,
        "refreshes": REFRESHES,
    }
    with connection.cursor() as cursor:
        for statement in FILL.read_text().split(";\n"):
            if statement.strip():
                cursor.execute(statement, sizes)
        cursor.execute("VACUUM ANALYZE")


def pages() -> list[tuple[Any, ...]]:
    """What is measured: (name, address), and the form that is sent where there is one."""
    from billing.models import RawRow  # noqa: PLC0415
    from ingestion.models import SourceFile  # noqa: PLC0415

    middle = SourceFile.objects.get(pk=RawRow.objects.values_list("source_file_id", flat=True)[:1])
    registry = "/admin/ingestion/sourcefile/"
    return [
        ("dashboard", "/admin/"),
        ("dashboard, its live part", "/admin/dashboard/live"),
        ("coverage calendar, one connection", f"/admin/coverage/?connection={middle.connection_id}"),
        ("coverage calendar, one client", f"/admin/coverage/?client={middle.connection.client_id}"),
        *[(told, f"/admin/ingestion/{address}") for told, address in others(middle)],
        ("registry, page 1", registry),
        *[(f"registry, {told}", f"{registry}?{query}") for told, query in narrowed(middle)],
        ("asking why, for 50 files", registry, wish_for_a_page()),
    ]


def wish_for_a_page() -> dict[str, Any]:
    """What the list sends where somebody chose its first page for a reload."""
    from ingestion.models import SourceFile  # noqa: PLC0415

    chosen = SourceFile.objects.order_by("-pk").values_list("pk", flat=True)[:50]
    return {"action": "reprocess_now", "_selected_action": list(chosen)}


def others(file: Any) -> list[tuple[str, str]]:
    """Pages of one connection and of one file, and the other long lists: (name, address below ingestion)."""
    connection = f"clientconnection/{file.connection_id}"
    return [
        ("connections", "clientconnection/"),
        ("a connection's home", f"{connection}/home/"),
        ("its transparency page, of a year", f"{connection}/transparency/?from={_year_ago()}"),
        ("a file", f"sourcefile/{file.pk}/change/"),
        ("its rows", f"sourcefile/{file.pk}/rows/"),
        ("its rows, found in a column", f"sourcefile/{file.pk}/rows/?find=nowhere&in=0"),
        ("a row's passport", f"sourcefile/{file.pk}/rows/{file.row_count // 2}/"),
        ("deliveries", "delivery/"),
        ("exports", "export/"),
        ("discovery runs", "discoveryrun/"),
        ("receipts", "receipt/"),
        ("receipts, search by a key", f"receipt/?q={quote(file.key)}"),
        ("load attempts", "loadattempt/"),
        ("load attempts, search by a key", f"loadattempt/?q={quote(file.key)}"),
        ("load attempts, failed", "loadattempt/?outcome__exact=FAILED"),
        ("requests to AWS", "awsuse/"),
        ("requests to AWS, one connection", f"awsuse/?connection__id__exact={file.connection_id}"),
    ]


def _year_ago() -> str:
    return (datetime.now(UTC) - timedelta(days=365)).date().isoformat()


def narrowed(file: Any) -> list[tuple[str, str]]:
    """The registry as staff narrow, sort and page it: (what is done, query of the address)."""
    from ingestion.models import SourceFile  # noqa: PLC0415

    page = min(200, 1 + (SourceFile.objects.count() - 1) // 50)
    period, one = f"period={file.billing_period_start}", f"connection__id__exact={file.connection_id}"
    return [
        (f"page {page}", f"p={page}"),
        ("half a million files on", f"id__lt={file.pk}"),
        ("failed", "status__exact=FAILED"),
        ("ingested", "status__exact=INGESTED"),
        ("skipped (none)", "status__exact=SKIPPED"),
        ("loading now", "loading=yes"),
        ("one period", period),
        ("one period, failed", f"{period}&status__exact=FAILED"),
        ("one connection", one),
        ("one connection, by key", f"{one}&o=1"),
        ("one connection, largest first", f"{one}&o=-5"),
        ("one connection, one period", f"{one}&{period}"),
        ("one client", f"connection__client__id__exact={file.connection.client_id}"),
        ("by key", "o=1"),
        ("by status", "o=2"),
        ("by period, newest first", "o=-3"),
        ("most rows first", "o=-4"),
        ("largest first", "o=-5"),
        ("search by a part of a key", f"q={file.key}"),
        ("search by a part no key has", "q=nowhere"),
        ("search by ETag", f"q={quote(file.etag)}"),
    ]


def measured(address: str, rounds: int, form: dict[str, Any] | None = None) -> tuple[float, float, int]:
    """Median milliseconds of the page (of its answer to a form) and of its SQL, and its queries; a first
    round is left out."""
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(User.objects.get_or_create(username="bench", is_superuser=True, is_staff=True)[0])
    page, sql, queries = [], [], 0
    for _round in range(rounds + 1):
        began = time.monotonic()
        with CaptureQueriesContext(connection) as asked:
            answer = browser.post(address, form, secure=True) if form else browser.get(address, secure=True)
        page.append(1000 * _since(began))
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}")
        sql.append(1000 * sum(float(query["time"]) for query in asked.captured_queries))
        queries = len(asked)
    return statistics.median(page[1:]), statistics.median(sql[1:]), queries


def _since(began: float) -> float:
    return time.monotonic() - began


if __name__ == "__main__":
    main()
