"""`manage.py database_roles`: an owner, a loader and a reader on a real server."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from ingestion.management.command import KcxCommand
from kcx.roles import Roles, UnsafeRole, apply, statements


class Command(KcxCommand):
    help = (
        "Print the SQL that makes the database roles and their rights what they should be, or apply it. "
        "Run it again after each migrate. Exit status: 0 done, 1 refused (nothing is changed)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Print or apply, and what the roles are called."""
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--print", action="store_true", help="print the SQL (default)")
        what.add_argument("--apply", action="store_true", help="run the SQL, in one transaction")
        parser.add_argument(
            "--prefix", default="kcx", metavar="P", help="roles P_owner, P_loader, P_reader (%(default)s)"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print or apply."""
        if settings.EMBEDDED:
            raise CommandError("The embedded database has one role. Set DATABASE_URL to a real server.")
        roles = Roles.named(options["prefix"])
        if not options["apply"]:
            lines = ["BEGIN", *statements(roles), "COMMIT"]
            self.stdout.write("\n".join(f"{line};" for line in lines))
            return
        try:
            done = apply(roles)
        except UnsafeRole as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{roles.owner}, {roles.loader} and {roles.reader} are set up ({done} statements).")
