"""One line per connection: its traffic light, and the figures behind it; as many queries for 300 as for 3."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db.models import Count, DateTimeField, JSONField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import JSONObject
from django.utils import timezone

from ingestion.cadence import Expectation, expectations
from ingestion.loading import Loading
from ingestion.models import AccessCheck, ClientConnection, Delivery, DiscoveryRun, Export, SourceFile
from kcx.dashboard.differences import different_by_connection
from kcx.dashboard.files import (
    Failed,
    archived_by_connection,
    failed_by_connection,
    loading_now,
    waiting_by_connection,
)
from kcx.dashboard.troubles import Trouble, check_trouble, discovery_trouble

QUEUE_TAKES = timedelta(minutes=15)


class State(Enum):
    """What the traffic light says, worst first: (slug, words, tone)."""

    DIFFERENT = ("different", "Stored data differ", "bad")
    LOST = ("lost", "Access lost", "bad")
    CHECK_FAILED = ("check-failed", "Access check failed", "bad")
    FAILED = ("failed", "Failed files", "bad")
    DISCOVERY_FAILED = ("discovery-failed", "Discovery failed", "bad")
    INCOMPLETE = ("incomplete", "Incomplete delivery", "warn")
    ARCHIVED = ("archived", "Archived files", "warn")
    OVERDUE = ("overdue", "Discovery overdue", "warn")
    LATE = ("late", "Late", "warn")
    AWAITING = ("awaiting", "Awaiting decision", "warn")
    RETRYING = ("retrying", "Retrying", "warn")
    LOADING = ("loading", "Loading now", "busy")
    WAITING = ("waiting", "Files waiting", "busy")
    EMPTY = ("empty", "Nothing delivered yet", "idle")
    FRESH = ("fresh", "Up to date", "good")
    DISABLED = ("disabled", "Disabled", "idle")
    PURGED = ("purged", "Purged", "idle")

    def __init__(self, slug: str, words: str, tone: str) -> None:
        self.slug, self.words, self.tone = slug, words, tone


@dataclass(frozen=True, slots=True)
class Incomplete:
    """The deliveries that cannot be published as they are; `reason` is the newest one's."""

    deliveries: int
    reason: str


@dataclass(frozen=True, slots=True)
class Line:
    """One connection on the dashboard. `awaiting`: its exports that wait for a decision."""

    id: int
    name: str
    client: str
    enabled: bool
    expectation: Expectation
    last_discovered_at: datetime | None
    discovery_overdue: bool
    last_ingested_at: datetime | None
    check_failed: Trouble | None
    discovery_failed: Trouble | None
    waiting: int
    loading: list[Loading]
    failed: list[Failed]
    incomplete: Incomplete | None
    awaiting: int
    archived: int
    purged_at: datetime | None
    different: int

    @property
    def late_since(self) -> datetime | None:
        """When a delivery was expected, if KCX has looked since and saw none."""
        late, looked = self.expectation.late_since, self.last_discovered_at
        return late if late and looked and looked > late else None

    @property
    def state(self) -> State:
        """The worst that is true of it."""
        return next(self.states(), State.FRESH)

    @property
    def _check_failed_matters(self) -> bool:
        """Of a disabled connection: while it is onboarded, or where the check found its role unsafe."""
        check = self.check_failed
        return check is not None and (self.last_ingested_at is None or check.is_unsafe)

    def states(self) -> Iterator[State]:
        """All that is true of it, worst first; a disabled one's troubles are left alone."""
        stuck = any(not failed.retrying for failed in self.failed)
        discovery = self.discovery_failed
        true_of_it = {
            State.DIFFERENT: self.different,
            State.LOST: self.enabled and bool(self.check_failed or (discovery and discovery.is_access)),
            State.CHECK_FAILED: not self.enabled and not self.purged_at and self._check_failed_matters,
            State.PURGED: self.purged_at,
            State.DISABLED: not self.enabled and not self.purged_at,
            State.FAILED: stuck,
            State.DISCOVERY_FAILED: discovery and not discovery.is_access,
            State.INCOMPLETE: self.incomplete,
            State.ARCHIVED: self.archived,
            State.OVERDUE: self.discovery_overdue and not discovery,
            State.LATE: self.late_since,
            State.AWAITING: self.awaiting,
            State.RETRYING: any(failed.retrying for failed in self.failed),
            State.LOADING: self.loading,
            State.WAITING: self.waiting,
            State.EMPTY: self.expectation.last is None and self.last_ingested_at is None,
        }
        disabled = {State.DIFFERENT, State.CHECK_FAILED, State.DISABLED, State.PURGED}
        return (s for s, is_true in true_of_it.items() if is_true and (self.enabled or s in disabled))


def lines() -> list[Line]:
    """Every connection, the worst first, then by name."""
    now = timezone.now()
    expected, waiting = expectations(now), waiting_by_connection()
    loading, failed, different = loading_now(), failed_by_connection(), different_by_connection()
    incomplete, awaiting, archived = _incomplete(), _awaiting(), archived_by_connection()
    found = [
        Line(
            id=one.pk,
            name=one.name,
            client=one.client.name,
            enabled=one.enabled and one.client.enabled,
            expectation=expected.get(one.pk, Expectation()),
            last_discovered_at=one.last_discovered_at,
            discovery_overdue=_overdue(one, now),
            last_ingested_at=one.last_ingested,
            check_failed=check_trouble(one.last_check),
            discovery_failed=discovery_trouble(one.last_run),
            waiting=waiting.get(one.pk, 0),
            loading=loading.get(one.pk, []),
            failed=failed.get(one.pk, []),
            incomplete=incomplete.get(one.pk),
            awaiting=awaiting.get(one.pk, 0),
            archived=archived.get(one.pk, 0),
            purged_at=one.purged_at,
            different=different.get(one.pk, 0),
        )
        for one in _connections()
    ]
    order = list(State)
    return sorted(found, key=lambda line: (order.index(line.state), line.name))


def _overdue(one: ClientConnection, now: datetime) -> bool:
    """Is the last look at the bucket older than two rounds, and a quarter of an hour for the queue?"""
    allowed = 2 * one.discover_every + QUEUE_TAKES
    return one.last_discovered_at is not None and now - one.last_discovered_at > allowed


def _connections() -> QuerySet[Any]:
    own = OuterRef("pk")
    runs = DiscoveryRun.objects.filter(connection=own).exclude(outcome=DiscoveryRun.Outcome.RUNNING)
    verdicts = [outcome for outcome in AccessCheck.Outcome if outcome not in {"RUNNING", "CRASHED"}]
    checks = AccessCheck.objects.filter(connection=own, outcome__in=verdicts)
    ingested = SourceFile.objects.filter(connection=own, ingested_at__isnull=False).order_by("-ingested_at")
    run = JSONObject(outcome="outcome", code="error_code", cause="error_message", next_action="next_action")
    check = JSONObject(outcome="outcome", rungs="rungs")
    return ClientConnection.objects.select_related("client").annotate(
        last_run=Subquery(runs.order_by("-pk").values(told=run)[:1], output_field=JSONField()),
        last_check=Subquery(checks.order_by("-pk").values(told=check)[:1], output_field=JSONField()),
        last_ingested=Subquery(ingested.values("ingested_at")[:1], output_field=DateTimeField()),
    )


def _incomplete() -> dict[int, Incomplete]:
    open_ones = Delivery.objects.filter(status=Delivery.Status.INCOMPLETE, scope__export__decision="LOAD")
    counted = open_ones.values_list("scope__export__connection").annotate(Count("pk"), Max("pk"))
    groups = list(counted)
    newest = Delivery.objects.only("reason").in_bulk([pk for *_, pk in groups])
    return {
        connection: Incomplete(count, newest[pk].reason) for connection, count, pk in groups if pk in newest
    }


def _awaiting() -> dict[int, int]:
    exports = Export.objects.filter(decision=Export.Decision.AWAITING).order_by()
    return dict(exports.values_list("connection").annotate(Count("pk")))
