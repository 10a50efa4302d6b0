"""`manage.py demo`: the main job against a simulated AWS."""

import importlib.util
import subprocess
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = (
        "Show the main job on an embedded PostgreSQL and a simulated AWS of its own: onboard, ingest, "
        "then serve the admin while AWS delivers on. Touches no other database. Ctrl-C stops all it started. "
        "Exit status: 0 shown, 1 something failed."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How far to go."""
        parser.add_argument("--no-serve", action="store_true", help="end after the ingest")
        parser.add_argument("--port", type=int, default=8000, help="of the admin (default: %(default)s)")
        parser.add_argument(
            "--every",
            type=int,
            default=60,
            metavar="SECONDS",
            help="between deliveries (default: %(default)s)",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Show it."""
        if importlib.util.find_spec("moto") is None:
            raise CommandError("The demo needs requirements-dev.txt: its AWS is simulated by moto.")
        from kcx.demo.show import show  # noqa: PLC0415  # a real installation has no moto

        folder = settings.BASE_DIR / "var" / "demo"
        try:
            show(folder, options["port"], options["every"], self.stdout.write, serve=not options["no_serve"])
        except OSError as error:
            raise CommandError(
                f"127.0.0.1:{options['port']} cannot be served: {error}. Try --port."
            ) from error
        except (subprocess.CalledProcessError, RuntimeError) as error:
            raise CommandError(f"The demo stopped: {error}") from error
