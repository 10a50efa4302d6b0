"""`manage.py onboard`: a connection, its external id and its two policies."""

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ingestion.errors import IngestionError
from ingestion.management.arguments import USAGE_ERROR
from ingestion.management.checking import actor, as_text, checked
from ingestion.management.command import KcxCommand
from ingestion.models import ClientConnection
from ingestion.onboarding import Enabling, Onboarded, onboard


class Command(KcxCommand):
    help = (
        "Create a connection and print its external id and the two policies for the client. "
        "Exit status: 0 created, 1 created and not enabled, 2 refused (nothing is created)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The connection's own fields, and whether it starts at once."""
        parser.add_argument("--client", required=True, metavar="NAME", help="the client; created if new")
        parser.add_argument("--role-arn", required=True, metavar="ARN", help="the role KCX assumes")
        parser.add_argument("--bucket", required=True, metavar="B")
        parser.add_argument(
            "--prefix", default="", metavar="P", help="used exactly as given (default: the whole bucket)"
        )
        parser.add_argument(
            "--region", default="us-east-1", metavar="R", help="the bucket's region (default: %(default)s)"
        )
        parser.add_argument(
            "--bucket-owner", default="", metavar="ID", help="default: the role's own account"
        )
        parser.add_argument(
            "--kms-key-arn", default="", metavar="ARN", help="the one key of an encrypted bucket"
        )
        parser.add_argument("--name", default="", metavar="N", help="the connection's unique name")
        parser.add_argument(
            "--discover-every", type=int, default=60, metavar="MINUTES", help="default: %(default)s"
        )
        parser.add_argument(
            "--enable",
            action="store_true",
            help="load whatever appears, and enable it if its access check passes or with --unverified",
        )
        parser.add_argument(
            "--history", action="store_true", help="load all deliveries, not only the current ones"
        )
        parser.add_argument(
            "--unverified", default="", metavar="REASON", help="recorded: why without an access check"
        )
        parser.add_argument(
            "--load-new-exports", action="store_true", help="load whatever appears once it is enabled"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create it; answers by what is printed."""
        fields = ("role_arn", "bucket", "prefix", "region", "bucket_owner", "kms_key_arn", "name")
        values = {field: options[field] for field in fields}
        values["discover_every"] = timedelta(minutes=options["discover_every"])
        values["load_history"] = options["history"]
        values["load_new_exports"] = options["load_new_exports"] or options["enable"]
        unverified = options["unverified"] if options["enable"] else ""
        try:
            made = onboard(options["client"], values, Enabling(unverified) if unverified else None, actor())
        except ValidationError as error:
            told = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items())
            raise CommandError(told, returncode=USAGE_ERROR) from error
        except IngestionError as error:
            raise CommandError(f"{error} {error.next_action}", returncode=USAGE_ERROR) from error
        self.stdout.write(_json(made) if options["json"] else _text(made))
        if options["enable"] and not unverified:
            _enable(made.connection)


def _enable(connection: ClientConnection) -> None:
    found = checked(connection, enabling=True)
    if not found.is_good:
        later = f"manage.py check_access --connection {connection.pk} --enable"
        told = f"Not enabled. Once the role is there: {later}"
        raise CommandError(f"{as_text(found)}\n{told}")


def _json(made: Onboarded) -> str:
    return json.dumps(
        {
            "connection_id": made.connection.pk,
            "name": made.connection.name,
            "external_id": made.connection.external_id,
            "trust_policy": made.trust_policy,
            "permission_policy": made.permission_policy,
        },
        indent=2,
    )


def _text(made: Onboarded) -> str:
    return "\n".join(
        [
            f"Connection {made.connection.pk}: {made.connection.name}",
            f"External id: {made.connection.external_id}",
            "",
            "Trust policy of the role:",
            json.dumps(made.trust_policy, indent=2),
            "",
            "Permission policy of the role:",
            json.dumps(made.permission_policy, indent=2),
        ]
    )
