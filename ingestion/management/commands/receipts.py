"""`manage.py receipts`: print receipts, or the heads of their chains, as JSON lines."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ingestion.management.arguments import USAGE_ERROR, add_connection, connection_named
from ingestion.management.command import KcxCommand
from ingestion.models import ClientConnection, Receipt, ReceiptChain


class Command(KcxCommand):
    help = (
        "Print a connection's receipts, or with --head the last one's hash, as JSON lines. "
        "Exit status: 0, or 2 for no such connection."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which receipts."""
        add_connection(parser)
        parser.add_argument("--file", type=int, metavar="ID", help="only those of this registered file")
        parser.add_argument(
            "--head", action="store_true", help="print the head only; of every connection, if none is named"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print them, the oldest first."""
        named = options["connection"]
        if (named is None and not options["head"]) or (options["head"] and options["file"] is not None):
            raise CommandError("Name --connection N [--file ID], or --head.", returncode=USAGE_ERROR)
        connection = None if named is None else connection_named(named)
        if options["head"]:
            self._print_heads([connection] if connection else ClientConnection.objects.order_by("pk"))
            return
        receipts = Receipt.objects.filter(connection=connection).order_by("sequence")
        if options["file"] is not None:
            receipts = receipts.filter(source_file=options["file"])
        for receipt in receipts.iterator():
            self._print(_as_json(receipt))

    def _print_heads(self, connections: Any) -> None:
        heads = ReceiptChain.objects.in_bulk()
        for connection in connections:
            head = heads.get(connection.pk, ReceiptChain())
            self._print({"connection": connection.pk, "sequence": head.sequence, "sha256": head.sha256})

    def _print(self, line: dict[str, Any]) -> None:
        self.stdout.write(json.dumps(line, ensure_ascii=False))


def _as_json(receipt: Receipt) -> dict[str, Any]:
    """`body` stays the text that was hashed."""
    return {
        "sequence": receipt.sequence,
        "kind": receipt.kind,
        "previous_sha256": receipt.previous_sha256,
        "sha256": receipt.sha256,
        "body": receipt.body,
    }
