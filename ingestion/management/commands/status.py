"""`manage.py status`: the state of every connection."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.table import Table

from ingestion.management.command import KcxCommand
from ingestion.status import ConnectionStatus, connection_statuses

COLUMNS = (
    "Id",
    "Connection",
    "Enabled",
    "New",
    "Ingested",
    "Failed",
    "Skipped",
    "Rows",
    "Discovered",
    "Ingested at",
)


class Command(KcxCommand):
    help = "Print the state of every connection. Exit status: 0."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How to report."""
        parser.add_argument(
            "--json", action="store_true", help="print a JSON list, one object per connection"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print it."""
        statuses = connection_statuses()
        if options["json"]:
            self.stdout.write(
                json.dumps([asdict(status) for status in statuses], indent=2, cls=DjangoJSONEncoder)
            )
            return
        table = Table(*COLUMNS)
        for status in statuses:
            table.add_row(*_cells(status))
        console = Console(width=None if self.stdout.isatty() else 200)
        with console.capture() as captured:
            console.print(table)
        self.stdout.write(captured.get())


def _cells(status: ConnectionStatus) -> list[str]:
    files = status.files
    counts = [f"{count:,}" for count in (files.new, files.ingested, files.failed, files.skipped, status.rows)]
    times = [
        moment.strftime("%Y-%m-%d %H:%M") if moment else "-"
        for moment in (status.last_discovered_at, status.last_ingested_at)
    ]
    return [str(status.connection_id), status.name, "yes" if status.enabled else "no", *counts, *times]
