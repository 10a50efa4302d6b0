"""`manage.py purge`: erase all rows of a connection whose contract has ended."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ingestion.management.arguments import USAGE_ERROR, add_connection, connection_named
from ingestion.management.checking import actor
from ingestion.management.command import KcxCommand
from ingestion.models import ClientConnection
from ingestion.purge import plan_of, purge


class Command(KcxCommand):
    help = (
        "Erase all rows of one disabled connection, for good; a receipt tells who did it and why. "
        "Without --confirm only print what would be erased. "
        "Exit status: 0 done or printed, 1 it may not be purged now, 2 no such connection, or not confirmed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which connection, why, and that it is meant."""
        add_connection(parser, required=True)
        parser.add_argument("--reason", default="", help="why; it is kept in the receipt")
        parser.add_argument("--confirm", metavar="NAME", help="the connection's name, in full: do it")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the plan, or purge; exit status 1 where it is refused."""
        connection = connection_named(options["connection"])
        reason = options["reason"].strip()
        if options["confirm"] is None:
            self.stdout.write(_planned(connection))
            return
        if options["confirm"] != connection.name or not reason:
            raise CommandError(
                f"Nothing is done. Give --reason, and --confirm with the name {connection.name!r}.",
                returncode=USAGE_ERROR,
            )
        try:
            receipt = purge(connection.pk, actor(), reason)
        except ValidationError as refused:
            raise CommandError(f"Nothing is done. {' '.join(refused.messages)}") from refused
        self.stdout.write(f"Purged: {connection.name}. Receipt {receipt.sequence}:{receipt.sha256}")


def _planned(connection: ClientConnection) -> str:
    plan = plan_of(connection)
    erased = f"{plan.rows:,} rows of {plan.files:,} files, {plan.bytes:,} bytes in the database"
    lines = [
        f"{connection.client}, {connection.name}: s3://{connection.bucket}/{connection.prefix}",
        f"To be erased: {erased}. {plan.deliveries:,} deliveries end.",
        "What stays: the registry's lines, history, receipts, the cells that verifications quote, backups.",
        f"Nothing is done. {plan.why_not or 'To do it, give --reason and --confirm with its name.'}",
    ]
    return "\n".join(lines)
