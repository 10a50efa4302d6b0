"""Discovers connections in a command's own process, and tells of each."""

from typing import Any

from django.core.management.base import OutputWrapper

from ingestion.management.checking import actor
from ingestion.models import ClientConnection, DiscoveryRun
from ingestion.pipeline import run
from ingestion.staff_actions import record

ACTOR = "command line"


def discover_each(
    connections: list[ClientConnection], out: OutputWrapper, *, quiet: bool
) -> tuple[list[DiscoveryRun], int]:
    """The runs, and how many of them failed. A connection that is being discovered already is left alone."""
    runs = []
    for connection in connections:
        found = run.discover(connection.pk, ACTOR)
        if found:
            record(actor(), "discover", connection=connection, detail={"discovery": found.pk})
            runs.append(found)
        if not quiet:
            out.write(f"{connection.name}: {_told(found)}")
    return runs, sum(found.outcome == DiscoveryRun.Outcome.FAILED for found in runs)


def run_as_json(found: DiscoveryRun) -> dict[str, Any]:
    """A run's figures, as `--json` prints them."""
    return {
        "run_id": found.pk,
        "connection_id": found.connection_id,
        "outcome": found.outcome,
        "listed": found.listed,
        "listed_bytes": found.listed_bytes,
        "registered": found.registered,
        "counts": found.counts,
        "error_code": found.error_code,
        "error": found.error_message,
    }


def _told(found: DiscoveryRun | None) -> str:
    if found is None:
        return "is being discovered already"
    if found.outcome == DiscoveryRun.Outcome.FAILED:
        return f"failed ({found.error_code}): {found.error_message} {found.next_action}"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(found.counts.items()))
    return f"{found.listed:,} objects listed ({kinds or 'none'}), {found.registered:,} new"
