"""Django's names for the composition root, and for its own admin."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class KcxConfig(AppConfig):
    name = "kcx"
    verbose_name = "KCX"

    def ready(self) -> None:
        """Register the checks."""
        from kcx import checks  # noqa: F401, PLC0415  # registered by being imported


class AdminConfig(SimpleAdminConfig):
    """Django's admin, whose pages are loaded with the addresses that serve them.

    As they are for a worker and for commands, which have none, a start takes less than half the time.
    """

    def ready(self) -> None:
        """Register the checks of Django's own configuration; they look at pages, and load them first."""
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(check_pages, checks.Tags.admin)


def check_pages(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[checks.CheckMessage]:
    """What Django finds wrong in the pages of the admin."""
    autodiscover()
    return list(check_admin_app(app_configs, **options))
