"""`manage.py discover`: list buckets now and register what is new."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.management.arguments import add_connection, connections_named
from ingestion.management.command import KcxCommand
from ingestion.management.discovering import discover_each, run_as_json
from ingestion.plan import plan
from ingestion.plan_text import plans_as_json, plans_as_text


class Command(KcxCommand):
    help = (
        "List the buckets of one connection, or of all enabled ones, and register what is new. Loads none. "
        "Exit status: 0 all listed, 1 a listing failed, 2 no such connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which connection, and how to report."""
        add_connection(parser)
        parser.add_argument(
            "--plan", action="store_true", help="print what would be loaded, what not, and why"
        )
        parser.add_argument("--json", action="store_true", help="print the runs, or the plans, as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Discover; exit status 1 where a listing failed."""
        as_json, with_plan = options["json"], options["plan"]
        connections = connections_named(options["connection"])
        runs, failed = discover_each(connections, self.stdout, quiet=as_json)
        if with_plan:
            plans = {connection.name: plan(connection) for connection in connections}
            self.stdout.write(plans_as_json(plans) if as_json else plans_as_text(plans))
        elif as_json:
            self.stdout.write(json.dumps([run_as_json(run) for run in runs], indent=2))
        if failed:
            raise CommandError(f"{failed} of the listings failed.")
