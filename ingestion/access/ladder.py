"""The ladder: its rungs in their order, and which of them need which."""

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.access import bucket, content, excess, role
from ingestion.access.rung import FAILED, SKIPPED, Climb, Found, Rung
from ingestion.aws_calls import Calls
from ingestion.errors import IngestionError
from ingestion.models import ClientConnection


@dataclass(frozen=True, slots=True)
class Step:
    """One rung's work, and the rungs without which it cannot be done."""

    code: str
    title: str
    needs: tuple[str, ...]
    work: Callable[[Climb], Found]


STEPS = (
    Step("identity", "KCX's own AWS identity", (), role.identity),
    Step("assume_role", "The role lets KCX in", ("identity",), role.assume_role),
    Step(
        "external_id_missing",
        "The role refuses KCX without an external id",
        ("assume_role",),
        role.external_id_missing,
    ),
    Step(
        "external_id_wrong",
        "The role refuses KCX with another external id",
        ("assume_role",),
        role.external_id_wrong,
    ),
    Step("bucket_region", "The bucket is where it should be", ("assume_role",), bucket.bucket_region),
    Step("list_bucket", "KCX may list the prefix", ("bucket_region",), bucket.list_bucket),
    Step("exports_found", "There are exports", ("list_bucket",), content.exports_found),
    Step("read_first_bytes", "KCX may read a file", ("exports_found",), content.read_first_bytes),
    Step("parse_header", "KCX understands the file", ("read_first_bytes",), content.parse_header),
    Step("excess", "The role allows no more than it should", ("assume_role",), excess.excess),
)


def climb(connection: ClientConnection, report: Callable[[Rung], None], calls: Calls) -> list[Rung]:
    """Try every rung and `report` each as it is done; a rung whose need failed is skipped.

    `calls` counts what is asked of AWS. Faults of AWS and of the client's account
    are told by the rungs, never raised.
    """
    climbing = Climb(connection, calls)
    rungs: list[Rung] = []
    for step in STEPS:
        rungs.append(_tried(step, climbing, rungs))
        report(rungs[-1])
    return rungs


def _tried(step: Step, climbing: Climb, before: list[Rung]) -> Rung:
    for rung in before:
        if rung.code in step.needs and rung.verdict in {FAILED, SKIPPED}:
            return Rung(step.code, step.title, SKIPPED, f'Not tried: it needs "{rung.title}".')
    try:
        found = step.work(climbing)
    except IngestionError as error:
        cause = (type(error).__doc__ or "").partition("\n")[0]
        told = (str(error), cause, error.next_action)
        return Rung(step.code, step.title, FAILED, *told, transient=error.transient, error=error.code)
    return Rung(step.code, step.title, found.verdict, found.told, found.cause, found.remedy)
