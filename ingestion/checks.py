"""System checks: settings with which KCX would not keep its promises."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


@register
def retry_above_timeout(**_options: Any) -> list[CheckMessage]:  # Django's signature
    """The broker must not hand a task out again while it may still be running."""
    if settings.Q_CLUSTER["retry"] > settings.Q_CLUSTER["timeout"]:
        return []
    return [
        Error(
            "Q_CLUSTER's retry must be above its timeout: a task would be delivered again while it runs.",
            hint="Raise KCX_TASK_RETRY_SECONDS or lower KCX_TASK_TIMEOUT_SECONDS.",
            id="kcx.E001",
        )
    ]


@register
def one_database(**_options: Any) -> list[CheckMessage]:
    """A load's rows and its progress are two sessions of one database."""
    default, progress = settings.DATABASES["default"], settings.DATABASES["progress"]
    if all(default.get(part) == progress.get(part) for part in ("NAME", "HOST", "PORT")):
        return []
    return [Error("The database aliases `default` and `progress` must be one database.", id="kcx.E002")]
