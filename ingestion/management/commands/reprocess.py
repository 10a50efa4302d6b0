"""`manage.py reprocess`: replace the rows of files that are ingested."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from django.db.models import QuerySet

from ingestion.management.arguments import (
    USAGE_ERROR,
    add_connection,
    connections_named,
    file_with_id,
    period,
)
from ingestion.management.checking import actor
from ingestion.management.command import KcxCommand
from ingestion.management.discovering import ACTOR
from ingestion.management.loading import load_files
from ingestion.models import SourceFile
from ingestion.reruns import reprocess


class Command(KcxCommand):
    help = (
        "Read ingested files again and replace their rows, each in one transaction; failed ones too. "
        "Exit status: 0 all loaded, 1 a file failed (its old rows stay), 2 no such connection or file."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which files, and how to report."""
        add_connection(parser)
        parser.add_argument("--file", type=int, metavar="ID", help="this registered file only")
        parser.add_argument(
            "--period", type=period, metavar="YYYY-MM", help="this billing period of the connection"
        )
        parser.add_argument("--json", action="store_true", help="print what came of each file as a JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Reprocess; exit status 1 where a file failed."""
        files = reprocess(_chosen(options["file"], options["connection"], options["period"]), actor())
        if options["file"] is not None and not files:
            raise CommandError(
                "This file is skipped, or loading now: nothing to reprocess.", returncode=USAGE_ERROR
            )
        if not load_files(files, ACTOR, self.stdout, as_json=options["json"]):
            raise CommandError("Not everything was ingested.")


def _chosen(file_id: int | None, connection: str | None, month: Any) -> QuerySet[SourceFile]:
    if (file_id is None) == (connection is None) or (file_id is not None and month):
        raise CommandError("Name --file ID, or --connection N [--period YYYY-MM].", returncode=USAGE_ERROR)
    if file_id is not None:
        return file_with_id(file_id)
    files = SourceFile.objects.filter(connection__in=connections_named(connection))
    return files.filter(billing_period_start=month) if month else files
