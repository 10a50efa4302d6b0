"""System checks: settings with which KCX would not keep its promises."""

import re
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection, transaction

from ingestion.errors import IngestionError
from ingestion.events import targets
from ingestion.load_session import WORK_SECONDS, prepare_for_load

# The tag of the checks that KCX's own commands run.
KCX = "kcx"
# tcp_user_timeout is in milliseconds.
MOST_SECONDS = {
    "keepalives_idle": 60,
    "keepalives_interval": 30,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
# What the server says of a session, in milliseconds and seconds; one by a Unix socket has no keepalives.
# Through a pooler the session is the pooler's, which may drop what kcx/settings.py asks for as it opens one.
IN_A_LOAD = """
SELECT name, setting::bigint FROM pg_settings
WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')
"""
IN_ANY_SESSION = """
SELECT name, setting::bigint FROM pg_settings
WHERE name = 'lock_timeout' OR starts_with(name, 'tcp_') AND inet_server_addr() IS NOT NULL
"""
POOLER = "Behind a pooler, which drops what KCX asks for: give the role these settings (docs/operations.md)."
NEVER = range(1)
SAFE_IN_A_LOAD = {"statement_timeout": NEVER, "transaction_timeout": NEVER}
SAFE_IN_ANY_SESSION = {
    "tcp_keepalives_idle": range(1, 61),
    "tcp_keepalives_interval": range(1, 31),
    "tcp_keepalives_count": range(1, 7),
    "tcp_user_timeout": range(1, 120_001),
}


@register(KCX)
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


@register(KCX)
def one_database(**_options: Any) -> list[CheckMessage]:
    """A load's rows and its progress are two sessions of one database."""
    default, progress = settings.DATABASES["default"], settings.DATABASES["progress"]
    if all(default.get(part) == progress.get(part) for part in ("NAME", "HOST", "PORT")):
        return []
    return [Error("The database aliases `default` and `progress` must be one database.", id="kcx.E002")]


@register(KCX)
def sessions_end_with_their_hosts(**_options: Any) -> list[CheckMessage]:
    """A session whose host or network has gone must end in about a minute, on both sides."""
    messages: list[CheckMessage] = []
    for alias in ("default", "progress"):
        options = settings.DATABASES[alias].get("OPTIONS", {})
        wrong = [name for name, most in MOST_SECONDS.items() if not 0 < int(options.get(name, 0)) <= most]
        servers = dict(re.findall(r"-c (\w+)=(\d+)", str(options.get("options", ""))))
        wrong += [name for name, safe in SAFE_IN_ANY_SESSION.items() if int(servers.get(name, 0)) not in safe]
        if wrong or not options.get("keepalives"):
            messages.append(
                Error(
                    f"Alias `{alias}` would keep a dead session: {', '.join(wrong) or 'keepalives'}.",
                    hint="Leave the OPTIONS of kcx/settings.py as they are.",
                    id="kcx.E003",
                )
            )
        if "lock_timeout" not in servers:
            messages.append(Error(f"Alias `{alias}` waits for locks without end.", id="kcx.E004"))
    return messages


@register(Tags.database)
def loads_are_not_cut_short(databases: Sequence[str] | None = None, **_options: Any) -> list[CheckMessage]:
    """What the server makes of KCX's sessions: none outlives its host, and no long COPY is ended.

    Asked of the server, since it, a role's own settings or a pooler between may want it otherwise.
    """
    if "default" not in (databases or []):
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(IN_ANY_SESSION)
        any_session: dict[str, int] = dict(cursor.fetchall())
        prepare_for_load()
        cursor.execute(IN_A_LOAD)
        in_a_load: dict[str, int] = dict(cursor.fetchall())
    idle = range(1000 * WORK_SECONDS, 1000 * (int(settings.KCX_AWS_SECONDS) + WORK_SECONDS) + 1)
    safe = SAFE_IN_A_LOAD | {"idle_in_transaction_session_timeout": idle}
    cut_short = [
        Error(
            f"In a load, {name} is {value}: long loads would be cut short, or dead ones stay.", id="kcx.E006"
        )
        for name, value in in_a_load.items()
        if value not in safe[name]
    ]
    endless = (
        [] if any_session.pop("lock_timeout") else ["lock_timeout is 0: locks are waited for without end."]
    )
    endless += [
        f"{name} is {value}: locks of a host that is gone would stay for hours."
        for name, value in any_session.items()
        if value not in SAFE_IN_ANY_SESSION[name]
    ]
    return [*cut_short, *(Error(text, hint=POOLER, id="kcx.E006") for text in endless)]


@register(KCX)
def webhooks_go_where_they_may(**_options: Any) -> list[CheckMessage]:
    """What cannot be read allows nothing, and must not be taken for a rule."""
    try:
        targets.networks()
        for entry in settings.KCX_WEBHOOK_HOSTS:
            targets.entry_of(entry)
    except (ValueError, IngestionError) as error:
        return [Error(f"KCX_WEBHOOK_HOSTS or KCX_WEBHOOK_NETWORKS: {error}", id="kcx.E005")]
    return []
