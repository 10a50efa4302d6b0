"""`manage.py client_role`: a read-only database role for one client."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.models import Q

from ingestion.management.arguments import USAGE_ERROR
from ingestion.management.checking import actor
from ingestion.management.command import KcxCommand
from ingestion.models import Client, ClientSchema
from kcx import client_roles
from kcx.public_rights import are_open

PASSWORD = "KCX_CLIENT_PASSWORD"  # noqa: S105  # where it stands, not what it is

LOCKS_OPEN = (
    "Every role of this database may hold KCX's advisory locks, and keep it from its work:"
    " only a superuser can end that, by running this command."
)


class Command(KcxCommand):
    help = (
        "Make a database role that reads one client's rows in its own schema, and nothing else; or mend it. "
        f"The password is read from --password-file or {PASSWORD}; a new role without either gets one "
        "that is printed once and kept nowhere. "
        "Exit status: 0 done, 1 refused (nothing is changed), 2 no such client."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose role, and what to do."""
        parser.add_argument("client", metavar="CLIENT", help="the client's id or its name")
        parser.add_argument("--name", help="of the role and of its schema (client_ and the client's name)")
        password = parser.add_mutually_exclusive_group()
        password.add_argument(
            "--password-file", type=Path, metavar="FILE", help="its first line is the password"
        )
        password.add_argument(
            "--new-password", action="store_true", help=f"make a new one and print it, whatever {PASSWORD} is"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--print-sql", action="store_true", help="print the SQL; no password is in it")
        what.add_argument("--drop", action="store_true", help="drop the role, its schema and its views")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make, print or drop."""
        client = _client(options["client"])
        try:
            if options["drop"]:
                self.stdout.write(f"{client_roles.drop(client, actor())} is dropped, with its schema.")
            elif options["print_sql"]:
                self._print(client, client_roles.name_for(client, options["name"]))
            else:
                self._make(client, options)
        except client_roles.RoleRefused as error:
            raise CommandError(str(error)) from error

    def _print(self, client: Client, name: str) -> None:
        lines = ["BEGIN", *client_roles.statements(client, name, None)]
        lines += [f"SELECT ingestion_make_client_views({client.pk})", "COMMIT"]
        self.stdout.write("\n".join(f"{line};" for line in lines))
        self.stdout.write(f"-- Then give it a password: \\password {name}")
        self.stdout.write("-- and run the command without --print-sql: it refuses a role that reads more.")

    def _make(self, client: Client, options: dict[str, Any]) -> None:
        name = client_roles.name_for(client, options["name"])
        given = "" if options["new_password"] else _given(options["password_file"])
        is_new = not ClientSchema.objects.filter(client=client).exists()
        made = client_roles.new_password() if not given and (is_new or options["new_password"]) else None
        client_roles.make(client, name, given or made, actor())
        self.stdout.write(f"{name} reads the rows of {client}, in the schema {name}.")
        if made:
            self.stdout.write(f"Its password, shown this once: {made}")
        if are_open():
            self.stderr.write(LOCKS_OPEN)


def _given(file: Path | None) -> str:
    """The password in the file, or in the environment; '' where neither has one."""
    if file is None:
        return os.environ.get(PASSWORD, "")
    try:
        given = file.read_text().partition("\n")[0].rstrip("\r")
    except OSError as error:
        raise CommandError(str(error), returncode=USAGE_ERROR) from error
    if not given:
        raise CommandError(f"{file} holds no password.", returncode=USAGE_ERROR)
    return given


def _client(text: str) -> Client:
    wanted = Q(name=text) | Q(pk=int(text)) if text.isdecimal() else Q(name=text)
    found = list(Client.objects.filter(wanted))
    if len(found) != 1:
        what = "no client" if not found else "a client with this id and another with this name:"
        raise CommandError(f"There is {what} {text!r}.", returncode=USAGE_ERROR)
    return found[0]
