"""What is known of a connection's access, and the log line and the event when it is lost."""

import logging
from dataclasses import dataclass
from typing import Literal

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from ingestion.errors import AccessError, ClockSkew, NoIdentity
from ingestion.events.facts import access_lost
from ingestion.models import AccessCheck, ClientConnection, DiscoveryRun

# By the package's name, for whoever filters the log for it.
logger = logging.getLogger("ingestion.access")

Verdict = Literal["unchecked", "running", "passed", "warned", "failed", "lost"]
# What is wrong with KCX, whichever connection it asks for.
OF_KCX = {NoIdentity.code, ClockSkew.code}
LET_IN = [AccessCheck.Outcome.PASSED, AccessCheck.Outcome.WARNED]


@dataclass(frozen=True, slots=True)
class AccessState:
    """`check` is what the verdict rests on; the running one while one runs. `sentence` is for people."""

    verdict: Verdict
    check: AccessCheck | None
    sentence: str


def access_state(connection: ClientConnection) -> AccessState:
    """What the checks and discoveries so far say of the connection as it is entered now."""
    newest = connection.access_checks.first()
    if newest and newest.outcome == AccessCheck.Outcome.RUNNING:
        return AccessState("running", newest, "Access is being checked now.")
    check = connection.access_checks.filter(outcome__in=AccessCheck.CONCLUSIVE).first()
    if check is None:
        return AccessState("unchecked", newest, _unchecked(newest))
    if check.subject != connection.subject:
        return AccessState("unchecked", check, "The connection was changed since its access was checked.")
    return _of_conclusive(connection, check)


def _of_conclusive(connection: ClientConnection, check: AccessCheck) -> AccessState:
    if not check.let_in:
        if _let_in_before(check):
            return AccessState("lost", check, f"Access was lost: {_cause(check)}")
        return AccessState("failed", check, f"The access check failed: {_cause(check)}")
    refused = _refused_discovery(connection, check)
    if refused:
        return AccessState("lost", check, f"Access was lost: {refused.error_message}")
    if check.outcome == AccessCheck.Outcome.WARNED:
        return AccessState("warned", check, "Access works; the check had warnings.")
    if any(rung["verdict"] == "skipped" for rung in check.rungs):
        return AccessState("passed", check, "Access works; not all could be tested.")
    return AccessState("passed", check, "Access works, and nothing beyond the prefix could be listed.")


def reachable() -> QuerySet[ClientConnection]:
    """Enabled connections that AWS refused neither the newest discovery nor all reads since."""
    ended = DiscoveryRun.objects.filter(connection=OuterRef("pk")).exclude(
        outcome=DiscoveryRun.Outcome.RUNNING
    )
    newest = Coalesce(Subquery(ended.order_by("-pk").values("error_code")[:1]), Value(""))
    enabled = ClientConnection.objects.filter(
        enabled=True, client__enabled=True, reads_refused_at__isnull=True
    )
    return enabled.alias(refused_with=newest).exclude(refused_with__in=AccessError.codes())


def refused_codes() -> set[str]:
    """By which the client's account refuses KCX; not those of KCX's own identity and clock."""
    return AccessError.codes() - OF_KCX


def note_check(check: AccessCheck) -> None:
    """Tell, once, where this check is the first to find that access was lost. In a transaction.

    Without any check before it the connection must be enabled, as for a discovery.
    """
    if check.outcome != AccessCheck.Outcome.FAILED:
        return
    connection = _alone(check.connection_id)
    before = _before(check).first()
    promised = before.let_in if before else connection.enabled
    if promised and not _refused_discovery(connection, before):
        code = next((str(rung["code"]) for rung in check.rungs if rung["verdict"] == "failed"), "")
        _tell(connection, f"check {check.pk}", code, _cause(check))


def note_discovery(run: DiscoveryRun) -> None:
    """Tell, once, where this discovery is the first to be refused since access worked. In a transaction.

    Without any check the connection must be enabled, for then access is what KCX was promised.
    """
    if run.error_code in OF_KCX:
        _tell_of_kcx(run)
    if not _is_refused(run):
        return
    connection = _alone(run.connection_id)
    check = connection.access_checks.filter(outcome__in=AccessCheck.CONCLUSIVE).first()
    if not (check.let_in if check else connection.enabled):
        return
    # What else went wrong says nothing about access.
    telling = Q(outcome=DiscoveryRun.Outcome.SUCCEEDED) | Q(error_code__in=refused_codes())
    before = _discoveries_since(connection, check).filter(telling, pk__lt=run.pk).first()
    if before is None or not _is_refused(before):
        _tell(connection, f"discovery {run.pk}", run.error_code, run.error_message)


def _tell_of_kcx(run: DiscoveryRun) -> None:
    """In the log, where no discovery of any connection was stopped by it before this one."""
    ended = DiscoveryRun.objects.exclude(outcome=DiscoveryRun.Outcome.RUNNING).exclude(pk=run.pk)
    newest = ended.order_by("-pk").values_list("error_code", flat=True).first()
    if newest != run.error_code:
        logger.error("KCX itself can ask AWS nothing: %s %s", run.error_message, run.next_action)


def _alone(connection_id: int) -> ClientConnection:
    """The connection, locked: of a check and a discovery that end together one tells."""
    return ClientConnection.objects.select_for_update(no_key=True).get(pk=connection_id)


def _tell(connection: ClientConnection, found_by: str, code: str, cause: str) -> None:
    access_lost(connection, found_by, code, cause)
    logger.error("Access to connection %s was lost: %s", connection, cause)


def _unchecked(newest: AccessCheck | None) -> str:
    return "The last access check broke off; try again." if newest else "Access was never checked."


def _cause(check: AccessCheck) -> str:
    return next((rung["cause"] for rung in check.rungs if rung["verdict"] == "failed"), "the check failed.")


def _before(check: AccessCheck) -> QuerySet[AccessCheck]:
    return AccessCheck.objects.filter(
        connection=check.connection_id, pk__lt=check.pk, outcome__in=AccessCheck.CONCLUSIVE
    )


def _let_in_before(check: AccessCheck) -> bool:
    return _before(check).filter(outcome__in=LET_IN).exists()


def _refused_discovery(connection: ClientConnection, check: AccessCheck | None) -> DiscoveryRun | None:
    """The newest discovery that ended since the check, where AWS refused it."""
    newest = _discoveries_since(connection, check).first()
    return newest if newest and _is_refused(newest) else None


def _discoveries_since(connection: ClientConnection, check: AccessCheck | None) -> QuerySet[DiscoveryRun]:
    since = Q(started_at__gt=check.started_at) if check else Q()
    return DiscoveryRun.objects.filter(since, connection=connection).exclude(
        outcome=DiscoveryRun.Outcome.RUNNING
    )


def _is_refused(run: DiscoveryRun) -> bool:
    return run.error_code in refused_codes()
