"""`manage.py check_access`: does a connection's role let KCX in as it should, and no further?"""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.management.arguments import USAGE_ERROR, add_connection, connection_named, connections_named
from ingestion.management.checking import as_json, as_text, checked
from ingestion.management.command import KcxCommand
from ingestion.models.connection import PURGED


class Command(KcxCommand):
    help = (
        "Check the access of one connection, enabled or not, or of all enabled ones; keep what is found. "
        "Exit status: 0 passed (warnings included), 1 failed or not checked, 2 no such connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which connection, and what follows."""
        add_connection(parser)
        parser.add_argument("--enable", action="store_true", help="enable it if it passes")
        parser.add_argument("--json", action="store_true", help="print the checks as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Check; exit status 1 where one did not pass."""
        named = options["connection"]
        if options["enable"] and named is None:
            raise CommandError("--enable needs --connection.", returncode=USAGE_ERROR)
        connections = connections_named(None) if named is None else [connection_named(named)]
        if any(connection.purged_at for connection in connections):
            raise CommandError(PURGED, returncode=USAGE_ERROR)
        found = []
        for connection in connections:
            found.append(checked(connection, enabling=options["enable"]))
            if not options["json"]:
                self.stdout.write(as_text(found[-1]))
        if options["json"]:
            self.stdout.write(json.dumps([as_json(one) for one in found], indent=2))
        bad = [one.connection.name for one in found if not one.is_good]
        if bad:
            raise CommandError(f"Access is not as it should be: {', '.join(bad)}.")
