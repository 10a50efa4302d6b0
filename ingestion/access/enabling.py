"""Enabling and disabling a connection: what a person does, recorded."""

from django.core.exceptions import ValidationError
from django.db import transaction

from ingestion.models import ClientConnection
from ingestion.staff_actions import record


@transaction.atomic
def enable(connection: ClientConnection, actor: str, reason: str = "") -> None:
    """Let KCX list and load the connection from now on.

    `reason` says why without a passed access check: for the shell only. Raises ValidationError where neither
    is there, or where the newest check of the role found it unsafe.
    """
    locked = _locked(connection)
    why_not = locked.why_not_enabled(reason)
    if why_not:
        raise ValidationError({"enabled": why_not})
    verified = not locked.why_not_enabled()
    locked.enabled, locked.unverified_reason = True, "" if verified else reason
    locked.save(update_fields=["enabled", "unverified_reason"])
    record(actor, "enable", connection=locked, reason=reason, detail={"verified": verified})
    connection.refresh_from_db(fields=["enabled", "unverified_reason"])


@transaction.atomic
def disable(connection: ClientConnection, actor: str, reason: str = "") -> None:
    """Stop listing and loading; nothing is deleted, and what loads now goes on to its end.

    A discovery that waits, whoever asked for it, is not begun.
    """
    locked = _locked(connection)
    locked.enabled, locked.discovery_requested_by = False, ""
    locked.save(update_fields=["enabled", "discovery_requested_by"])
    record(actor, "disable", connection=locked, reason=reason)
    connection.refresh_from_db(fields=["enabled"])


def _locked(connection: ClientConnection) -> ClientConnection:
    return ClientConnection.objects.select_for_update(no_key=True).get(pk=connection.pk)
