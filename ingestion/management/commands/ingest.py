"""`manage.py ingest`: discover and load now, in this process."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.management.arguments import USAGE_ERROR, add_connection, connections_named, file_with_id
from ingestion.management.discovering import ACTOR, discover_each
from ingestion.management.loading import load_files
from ingestion.reruns import waiting


class Command(BaseCommand):
    help = (
        "Discover, then load what waits, newest billing period first, in this process. "
        "Exit status: 0 all loaded, 1 a listing or a file failed, 2 no such connection or file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to load, and how to report."""
        add_connection(parser)
        parser.add_argument(
            "--file", type=int, metavar="ID", help="load this registered file only, without discovery"
        )
        parser.add_argument("--json", action="store_true", help="print what came of each file as a JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ingest; exit status 1 where anything failed."""
        if options["file"] is not None and options["connection"] is not None:
            raise CommandError("Name a file or a connection, not both.", returncode=USAGE_ERROR)
        listings_failed = 0
        if options["file"] is not None:
            files = list(file_with_id(options["file"]).values_list("pk", flat=True))
        else:
            connections = connections_named(options["connection"])
            _, listings_failed = discover_each(connections, self.stdout, quiet=options["json"])
            files = [file for connection in connections for file in waiting(connection)]
        if not load_files(files, ACTOR, self.stdout, as_json=options["json"]) or listings_failed:
            raise CommandError("Not everything was ingested.")
