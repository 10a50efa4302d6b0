"""Django's name for the read API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "kcx.api"
    label = "api"
    verbose_name = "API"

    def ready(self) -> None:
        """Register what describes the API."""
        from kcx.api import schema  # noqa: F401, PLC0415  # registered by being imported
