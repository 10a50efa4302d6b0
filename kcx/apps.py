"""Django's name for the composition root."""

from django.apps import AppConfig


class KcxConfig(AppConfig):
    name = "kcx"
    verbose_name = "KCX"

    def ready(self) -> None:
        """Register the checks."""
        from kcx import checks  # noqa: F401, PLC0415  # registered by being imported
