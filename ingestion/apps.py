"""Django's name for the ingestion app."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "Ingestion"

    def ready(self) -> None:
        """Register the checks, and write the schedules whenever the database is migrated."""
        from ingestion import checks, schedules  # noqa: F401, PLC0415  # models must be loaded first

        post_migrate.connect(schedules.ensure_schedules, sender=self)
