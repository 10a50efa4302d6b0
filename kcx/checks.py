"""System checks of the database behind the settings; run by `check --database default` and by migrate."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  # Django's name
from django.db import connection

MAY_CHANGE_ROWS = (
    "SELECT has_table_privilege(oid, 'DELETE') FROM pg_class WHERE oid = to_regclass('billing_rawrow')"
)


@register(Tags.database)
def rows_are_safe_from_this_role(
    databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    """On a real server only the owner's role may change raw rows, and only migrate connects as it."""
    if settings.EMBEDDED or "default" not in (databases or []):
        return []
    with connection.cursor() as cursor:
        cursor.execute(MAY_CHANGE_ROWS)
        if cursor.fetchone() != (True,):
            return []
    return [
        Warning(
            "The database role of DATABASE_URL may change raw rows.",
            hint="Right for migrate; for the web and the workers use the loader: manage.py database_roles.",
            id="kcx.W001",
        )
    ]
