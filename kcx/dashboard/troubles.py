"""What went wrong with a connection last, as its newest check and discovery tell it."""

from dataclasses import dataclass
from typing import Any

from ingestion.access.state import refused_codes
from ingestion.models import AccessCheck, DiscoveryRun


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong last, in a plain sentence, and what to do. `is_unsafe`: KCX stopped for it."""

    cause: str
    next_action: str
    is_access: bool = True
    is_unsafe: bool = False


def check_trouble(check: dict[str, Any] | None) -> Trouble | None:
    """Of the newest conclusive check (its outcome and rungs); None where it let KCX in."""
    if check is None or check["outcome"] != AccessCheck.Outcome.FAILED:
        return None
    failed = [rung for rung in check["rungs"] if rung.get("verdict") == "failed"]
    unsafe = any(AccessCheck.stops(rung) for rung in failed)
    for rung in failed:
        return Trouble(rung.get("cause") or rung.get("title", ""), rung.get("remedy", ""), is_unsafe=unsafe)
    return Trouble("The access check failed.", "Verify access again and read its rungs.")


def discovery_trouble(run: dict[str, Any] | None) -> Trouble | None:
    """Of the newest discovery that ended; None where it succeeded."""
    if run is None or run["outcome"] != DiscoveryRun.Outcome.FAILED:
        return None
    return Trouble(run["cause"], run["next_action"], run["code"] in refused_codes())
