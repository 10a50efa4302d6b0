"""`manage.py export_views`: bring the views by column name up to date."""

from typing import Any

from django.core.management.base import CommandError

from ingestion.export_views import refresh_stale, still_stale
from ingestion.management.command import KcxCommand


class Command(KcxCommand):
    help = (
        "Make the views of exports and clients that are missing or lack a column. Workers do so, too. "
        "Exit status: 0 all are up to date, 1 some could not be made (somebody reads them: try again)."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make them; exit status 1 where one is still stale."""
        self.stdout.write(f"{refresh_stale()} made.")
        if left := still_stale():
            raise CommandError(f"{left} could not be made: the log has the reason of each.")
