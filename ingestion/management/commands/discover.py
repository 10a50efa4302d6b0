"""`manage.py discover`: list buckets now and register what is new."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ingestion.management.arguments import add_connection, connections_named
from ingestion.management.discovering import discover_each, run_as_json


class Command(BaseCommand):
    help = (
        "List the buckets of one connection, or of all enabled ones, and register what is new. Loads none. "
        "Exit status: 0 all listed, 1 a listing failed, 2 no such connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which connection, and how to report."""
        add_connection(parser)
        parser.add_argument("--json", action="store_true", help="print the discovery runs as a JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Discover; exit status 1 where a listing failed."""
        quiet = options["json"]
        runs, failed = discover_each(connections_named(options["connection"]), self.stdout, quiet=quiet)
        if quiet:
            self.stdout.write(json.dumps([run_as_json(run) for run in runs], indent=2))
        if failed:
            raise CommandError(f"{failed} of the listings failed.")
