"""`manage.py worker`: run the queue under a supervisor."""

from typing import Any

from django.conf import settings

from ingestion.management.command import KcxCommand
from ingestion.supervisor.supervise import Patience, Supervisor


class Command(KcxCommand):
    help = (
        "Run discoveries, loads and retries until SIGTERM or Ctrl-C, under a supervisor that starts the "
        "processes anew where they hang or die. At the end running loads may finish (KCX_DRAIN_SECONDS); "
        "what is killed then is rolled back and loaded again later. Exit status: 0 stopped as asked."
    )

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run."""
        patience = Patience(stale=settings.KCX_STALE_SECONDS, drain=settings.KCX_DRAIN_SECONDS)
        Supervisor(settings.BASE_DIR, patience).run()
