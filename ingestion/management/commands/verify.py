"""`manage.py verify`: compare what is stored with its digests, its receipts and the bucket."""

import json
import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError

from ingestion.management.arguments import (
    USAGE_ERROR,
    add_connection,
    connection_named,
    connections_named,
    file_with_id,
    period,
)
from ingestion.management.command import KcxCommand
from ingestion.management.discovering import ACTOR
from ingestion.models import SourceFile, Verification
from ingestion.verification.chain import Head
from ingestion.verification.report import Report
from ingestion.verification.verify import verify_connection, verify_file

NOT_COMPARED = 3


class Command(KcxCommand):
    help = (
        "Compare stored rows, the registry and the receipts; with --against-s3 every cell with the bucket. "
        "Exit status: 0 all equal, 1 something differs, 2 no such connection or file, "
        "3 nothing differs but something could not be compared."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to compare, and how to report."""
        add_connection(parser)
        parser.add_argument("--file", type=int, metavar="ID", help="this registered file only")
        parser.add_argument(
            "--period", type=period, metavar="YYYY-MM", help="only this billing period's files"
        )
        parser.add_argument("--against-s3", action="store_true", help="read each object again")
        parser.add_argument(
            "--head", type=_head, metavar="SEQ:SHA256", help="the connection's head, as exported earlier"
        )
        parser.add_argument("--json", action="store_true", help="print the reports as a JSON list")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Verify; exit status 1 where anything differs, 3 where something could not be compared."""
        outcomes, printed = set(), []
        for report in _reports(options):
            outcomes.add(report.outcome)
            if options["json"]:
                printed.append(report.as_json())
            else:
                self.stdout.write(_as_text(report))
        if options["json"]:
            self.stdout.write(json.dumps(printed, indent=2))
        if Verification.Outcome.DIFFERENT in outcomes:
            raise CommandError("Something differs.")
        if Verification.Outcome.NOT_COMPARED in outcomes:
            raise CommandError(
                "Nothing differs, but not everything could be compared.", returncode=NOT_COMPARED
            )


def _reports(options: dict[str, Any]) -> Iterable[Report]:
    file_id, connection, s3 = options["file"], options["connection"], options["against_s3"]
    if (file_id is None) == (connection is None) or (file_id and (options["period"] or options["head"])):
        raise CommandError(
            "Name --file ID, or --connection N [--period YYYY-MM] [--head SEQ:SHA256].",
            returncode=USAGE_ERROR,
        )
    if file_id is not None:
        if s3:
            file_with_id(file_id)
        elif not SourceFile.objects.filter(pk=file_id).exists():
            raise CommandError(f"There is no file {file_id}.", returncode=USAGE_ERROR)
        return [verify_file(file_id, ACTOR, against_s3=s3)]
    chosen = connections_named(connection)[0] if s3 else connection_named(connection)
    return verify_connection(chosen.pk, ACTOR, options["period"], options["head"], against_s3=s3)


def _as_text(report: Report) -> str:
    lines = [f"{report.outcome.label}: {report.subject}, {report.rows:,} rows"]
    lines += [f"    {difference.sentence}" for difference in report.told]
    if (more := report.counts.total() - len(report.told)) > 0:
        lines.append(f"    and {more:,} more")
    lines += [f"    Could not be compared: {why}" for why in report.not_compared]
    return "\n".join(lines)


def _head(text: str) -> Head:
    if not (found := re.fullmatch(r"([0-9]+):([0-9a-f]{64})", text)):
        raise ArgumentTypeError("a head is a number, a colon and a SHA-256 in hex")
    return Head(int(found[1]), found[2])
