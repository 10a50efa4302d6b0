"""The rung that looks, by harmless reads only, whether the role allows more than it should."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ingestion.access.role import assumed
from ingestion.access.rung import WARNING, Climb, Found
from ingestion.deadline import ask
from ingestion.errors import AccessError
from ingestion.pipeline.assume_role import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

NOT_TESTED = (
    "Not tested, as KCX never tries it: writing, deleting, reading objects outside the prefix,"
    " reading or changing policies, and anything in other services."
)


def excess(climb: Climb) -> Found:
    """What a short session without KCX's own narrowing may list. Too much is a warning."""
    access = climb.access
    s3 = assumed(climb, {"Policy": None}).client("s3", region_name=access.region, config=CONFIG)
    allowed = [what for what, call in _probes(climb, s3) if _is_allowed(what, call)]
    if not allowed:
        return Found(f"Nothing beyond the prefix could be listed. {NOT_TESTED}")
    return Found(
        f"The role also allows: {', '.join(allowed)}. {NOT_TESTED}",
        WARNING,
        cause="The role's policy allows more than KCX asks for. KCX's own sessions are narrowed.",
        remedy="Ask the client to replace the role's permission policy by the one on the connection's page.",
    )


def _probes(climb: Climb, s3: "S3Client") -> list[tuple[str, Callable[[], object]]]:
    access = climb.access
    probes: list[tuple[str, Callable[[], object]]] = [("to list the account's buckets", s3.list_buckets)]
    if access.prefix:
        owned: Any = {"Bucket": access.bucket, "ExpectedBucketOwner": access.owner}
        outside = ("to list the bucket outside the prefix", lambda: s3.list_objects_v2(**owned, MaxKeys=1))
        probes.insert(0, outside)
    return probes


def _is_allowed(what: str, call: Callable[[], object]) -> bool:
    try:
        ask(f"Trying {what}", call)
    except AccessError:
        return False
    return True
