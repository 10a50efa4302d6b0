"""`manage.py ingest`: discover and load now, in this process."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.errors import IngestionError
from ingestion.management.arguments import USAGE_ERROR, add_connection, connections_named, file_with_id
from ingestion.management.checking import actor
from ingestion.management.command import KcxCommand
from ingestion.management.discovering import ACTOR, discover_each
from ingestion.management.loading import load_files
from ingestion.models import Delivery
from ingestion.pipeline.run import want_older_delivery
from ingestion.reruns import waiting
from ingestion.staff_actions import record


class Command(KcxCommand):
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
        parser.add_argument(
            "--delivery", type=int, metavar="ID", help="load this older delivery that was left out"
        )
        parser.add_argument("--json", action="store_true", help="print what came of each file as a JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ingest; exit status 1 where anything failed."""
        named = [option for option in ("file", "delivery", "connection") if options[option] is not None]
        if len(named) > 1:
            raise CommandError("Name a file, a delivery or a connection.", returncode=USAGE_ERROR)
        listings_failed, files = self._chosen(named, options)
        if not load_files(files, ACTOR, self.stdout, as_json=options["json"]) or listings_failed:
            raise CommandError("Not everything was ingested.")

    def _chosen(self, named: list[str], options: dict[str, Any]) -> tuple[int, list[int]]:
        """How many listings failed, and the files to load."""
        if named == ["file"]:
            return 0, list(file_with_id(options["file"]).values_list("pk", flat=True))
        if named == ["delivery"]:
            return 0, _files_of_older_delivery(options["delivery"])
        connections = connections_named(options["connection"])
        _, failed = discover_each(connections, self.stdout, quiet=options["json"])
        return failed, [file for connection in connections for file in waiting(connection)]


def _files_of_older_delivery(delivery_id: int) -> list[int]:
    found = Delivery.objects.select_related("scope__export__connection").filter(pk=delivery_id).first()
    if found is None:
        raise CommandError(f"There is no delivery {delivery_id}.", returncode=USAGE_ERROR)
    connections_named(found.scope.export.connection.name)  # refuses a disabled one
    try:
        files = want_older_delivery(delivery_id, ACTOR)
    except IngestionError as error:
        raise CommandError(f"{error} {error.next_action}") from error
    detail = {"delivery": delivery_id, "export": found.scope.export.name}
    record(actor(), "load older delivery", connection=found.scope.export.connection, detail=detail)
    return files
