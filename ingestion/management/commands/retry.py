"""`manage.py retry`: load failed files again, now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.management.arguments import add_connection, connections_named
from ingestion.management.checking import actor
from ingestion.management.command import KcxCommand
from ingestion.management.discovering import ACTOR
from ingestion.management.loading import load_files
from ingestion.models import SourceFile
from ingestion.reruns import retry


class Command(KcxCommand):
    help = (
        "Load the failed files of one connection, or of all enabled ones, again, in this process. "
        "Exit status: 0 all loaded, 1 a file failed, 2 no such connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which connection, and how to report."""
        add_connection(parser)
        parser.add_argument("--json", action="store_true", help="print what came of each file as a JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Retry; exit status 1 where a file failed."""
        connections = connections_named(options["connection"])
        files = retry(SourceFile.objects.filter(connection__in=connections), actor())
        if not load_files(files, ACTOR, self.stdout, as_json=options["json"]):
            raise CommandError("Not everything was ingested.")
