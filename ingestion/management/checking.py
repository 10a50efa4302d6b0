"""Checks access in a command's own process, and tells of each rung."""

import os
import pwd
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError

from ingestion.access.check import run_access_check
from ingestion.access.enabling import enable
from ingestion.models import AccessCheck, ClientConnection
from ingestion.staff_actions import record


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one connection; `check` is None where another process checks it now."""

    connection: ClientConnection
    check: AccessCheck | None
    refused: str = ""

    @property
    def is_good(self) -> bool:
        """Did the check pass, if with warnings, and was it enabled where that was asked for?"""
        return self.check is not None and self.check.let_in and not self.refused


def actor() -> str:
    """Who is at the shell, as the system knows it; before a sudo, as sudo tells."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user may have no name
        return "command line"
    before = os.environ.get("SUDO_USER")
    return f"{before} as {name}" if before else name


def checked(connection: ClientConnection, *, enabling: bool) -> Checked:
    """Check now, and enable what passes where `enabling`."""
    check = run_access_check(connection.pk, actor())
    if check:
        record(actor(), "check access", connection=connection, detail={"access_check": check.pk})
    if check is None or not enabling or connection.enabled:
        return Checked(connection, check)
    try:
        enable(connection, actor())
    except ValidationError as error:
        return Checked(connection, check, " ".join(error.messages))
    return Checked(connection, check)


def as_text(found: Checked) -> str:
    """The rungs for people, one a line, with cause and remedy where there are any."""
    name = found.connection.name
    if found.check is None:
        return f"{name}: is being checked already"
    lines = [f"{name}: {found.check.get_outcome_display()}"]
    for rung in found.check.rungs:
        lines.append(f"  {rung['verdict']:8} {rung['title']}: {rung['told']}")
        lines += [f"           {rung[part]}" for part in ("cause", "remedy") if rung[part]]
    return "\n".join(lines + ([f"  Not enabled: {found.refused}"] if found.refused else []))


def as_json(found: Checked) -> dict[str, Any]:
    """The same for programs."""
    check = found.check
    return {
        "connection_id": found.connection.pk,
        "connection": found.connection.name,
        "enabled": found.connection.enabled,
        "check_id": check.pk if check else None,
        "outcome": check.outcome if check else None,
        "rungs": check.rungs if check else [],
    }
