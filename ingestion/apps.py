"""Django's name for the ingestion app."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "Ingestion"

    def ready(self) -> None:
        """Register the checks, write the schedules with every migrate, report to a supervisor."""
        from ingestion import checks, people, schedules  # noqa: F401, PLC0415  # models must be loaded first
        from ingestion.supervisor.heartbeat import join_supervisor  # noqa: PLC0415

        post_migrate.connect(schedules.ensure_schedules, sender=self)
        # Django makes the permissions of an app when that is migrated, and auth comes after ingestion.
        post_migrate.connect(people.ensure_groups, sender=apps.get_app_config("auth"))
        if join_supervisor():
            # Before the cluster's processes are forked: each would load it for itself, and hold it.
            from ingestion import tasks  # noqa: F401, PLC0415
