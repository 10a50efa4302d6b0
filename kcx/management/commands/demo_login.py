"""`manage.py demo_login`: the demo's login, in the demo's own database only."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Create the login `demo` (used by the demo). Refused on a real database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The password."""
        parser.add_argument("--password", required=True)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Create it."""
        if not settings.EMBEDDED:
            raise CommandError("The demo's login is for its own embedded database only.")
        User.objects.create_superuser("demo", password=options["password"])
