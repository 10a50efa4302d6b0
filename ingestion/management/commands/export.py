"""`manage.py export`: write loaded rows to a file or to standard output, with a receipt."""

import csv
import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models.functions import Concat

from ingestion.errors import IngestionError
from ingestion.exporting.compression import Compression
from ingestion.exporting.export import ExportStream, export
from ingestion.exporting.noted import note_export
from ingestion.exporting.target import TargetExists, written
from ingestion.exporting.writers import Format
from ingestion.management.arguments import USAGE_ERROR, add_connection, connection_named, period
from ingestion.management.checking import actor
from ingestion.management.command import KcxCommand
from ingestion.models import Export
from ingestion.selection import Selection, of_delivery, of_file, of_period

STANDARD_OUTPUT = "-"


class Command(KcxCommand):
    help = (
        "Export a loaded file, a delivery, or a billing period as it is current (or was, with --as-of). "
        "A receipt is written beside the file. Exit status: 0 done, 1 it could not be exported whole "
        "(no file is written then), 2 usage, or a file that is there already."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to export, and whereto."""
        parser.add_argument("--file", type=int, metavar="ID", help="a registered file, by its id")
        parser.add_argument("--delivery", type=int, metavar="ID", help="a delivery, by its id")
        add_connection(parser)
        parser.add_argument("--export", metavar="E", help="an export's id, its name, or its root and name")
        parser.add_argument("--period", type=period, metavar="YYYY-MM", help="the billing period")
        parser.add_argument(
            "--as-of", type=_moment, metavar="T", help="as it was shown then; ISO 8601, else UTC"
        )
        parser.add_argument("--format", type=Format, choices=list(Format), required=True)
        parser.add_argument("--columns", type=_names, metavar="A,B", help="only these, in this order; as CSV")
        packed = parser.add_mutually_exclusive_group()
        packed.add_argument(
            "--gzip",
            dest="compression",
            action="store_const",
            const=Compression.GZIP,
            default=Compression.NONE,
        )
        packed.add_argument("--zstd", dest="compression", action="store_const", const=Compression.ZSTD)
        parser.add_argument(
            "--output", required=True, metavar="FILE", help="the file, or - for standard output"
        )
        parser.add_argument("--receipt", metavar="FILE", help="the receipt's file, if not FILE.receipt.json")
        parser.add_argument("--force", action="store_true", help="replace files that are there already")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Export; nothing is left behind where it fails."""
        try:
            stream = export(
                _selection(options), options["format"], options["columns"], options["compression"]
            )
            _write(stream, options)
        except TargetExists as error:
            raise CommandError(
                f"{error} is there already; --force replaces it.", returncode=USAGE_ERROR
            ) from error
        except IngestionError as error:
            raise CommandError(f"{error} {error.next_action}") from error
        except OSError as error:
            raise CommandError(f"The export could not be written: {error}") from error


def _selection(options: dict[str, Any]) -> Selection:
    of_a_period = [options[name] is not None for name in ("connection", "export", "period")]
    one_by_id = [options[name] is not None for name in ("file", "delivery")]
    if sum([*one_by_id, any(of_a_period)]) != 1 or any(of_a_period) != all(of_a_period):
        raise CommandError(
            "Name --file ID, --delivery ID, or --connection N --export E --period YYYY-MM [--as-of T].",
            returncode=USAGE_ERROR,
        )
    if options["as_of"] and not any(of_a_period):
        raise CommandError("--as-of goes with --period.", returncode=USAGE_ERROR)
    if options["file"] is not None:
        return of_file(options["file"])
    if options["delivery"] is not None:
        return of_delivery(options["delivery"])
    return of_period(_export_named(options).pk, options["period"], options["as_of"])


def _export_named(options: dict[str, Any]) -> Export:
    wanted = options["export"]
    exports = Export.objects.filter(connection=connection_named(options["connection"]))
    if wanted.isdecimal() and (found := exports.filter(pk=wanted).first()):
        return found
    named = exports.alias(whole=Concat("root", "name"))
    matching = list(named.filter(whole=wanted) or named.filter(name=wanted))
    if len(matching) != 1:
        known = ", ".join(f"{one.pk} ({one})" for one in matching or exports) or "none"
        kind = "Several exports are" if matching else "No export is"
        raise CommandError(f"{kind} named {wanted!r} there; there are: {known}.", returncode=USAGE_ERROR)
    return matching[0]


def _write(stream: ExportStream, options: dict[str, Any]) -> None:
    output, receipt, force = options["output"], options["receipt"], options["force"]
    if output == STANDARD_OUTPUT:
        targets = [Path(receipt)] if receipt else []
    else:
        targets = [Path(output), Path(receipt or f"{output}.receipt.json")]
    with written(targets, force=force) as files:
        note_export(stream, actor(), "export")
        data = sys.stdout.buffer if output == STANDARD_OUTPUT else files.pop(0)
        data.writelines(stream)
        data.flush()
        for file in files:
            file.write(json.dumps(stream.receipt(), indent=2, ensure_ascii=False).encode() + b"\n")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _names(text: str) -> list[str]:
    names: Iterator[list[str]] = csv.reader([text])
    if not (found := next(names, [])):
        raise ArgumentTypeError("names at least one column")
    return found
