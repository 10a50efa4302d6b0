"""The rung that looks, by harmless reads only, whether the role allows more than it should."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ingestion.access.role import assumed
from ingestion.access.rung import SKIPPED, WARNING, Climb, Found
from ingestion.access_errors import ExplicitDeny
from ingestion.deadline import ask
from ingestion.errors import AccessDenied, AccessError
from ingestion.pipeline.assume_role import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

NOT_TESTED = (
    "Not tested, as KCX never tries it: writing, deleting, reading objects outside the prefix,"
    " reading or changing policies, and anything in other services."
)


def excess(climb: Climb) -> Found:
    """What a short session without KCX's own narrowing may list. Too much is a warning.

    Only a refusal of the role's says that it may not; where S3 answers otherwise nothing was tested.
    """
    access = climb.access
    s3 = assumed(climb, {"Policy": None}).client("s3", region_name=access.region, config=CONFIG)
    allowed, untested = [], []
    for what, calls in _probes(climb, s3).items():
        answers = [_is_allowed(what, call) for call in calls]
        if True in answers:
            allowed.append(what)
        elif None in answers or not answers:
            untested.append(what)
    if allowed:
        return Found(
            f"The role also allows: {', '.join(allowed)}. {_not_tested(untested)}",
            WARNING,
            cause="The role's policy allows more than KCX asks for. KCX's own sessions are narrowed.",
            remedy="Ask the client to replace the role's permission policy by the one on this page.",
        )
    if untested:
        return Found(f"S3 does not answer for the bucket as it should. {_not_tested(untested)}", SKIPPED)
    return Found(f"Nothing beyond the prefix could be listed. {NOT_TESTED}")


def _not_tested(untested: list[str]) -> str:
    return " ".join([*(f"Not tested: {what}." for what in untested), NOT_TESTED])


def _probes(climb: Climb, s3: "S3Client") -> dict[str, list[Callable[[], object]]]:
    """By what each would show: the calls, none where they would show nothing."""
    owned: Any = {"Bucket": climb.access.bucket, "ExpectedBucketOwner": climb.access.owner, "MaxKeys": 1}
    # To a policy's condition an empty prefix is another thing than none; both list the whole bucket.
    outside: list[Callable[[], object]] = [
        lambda: s3.list_objects_v2(**owned),
        lambda: s3.list_objects_v2(**owned, Prefix=""),
    ]
    probes: dict[str, list[Callable[[], object]]] = {}
    if climb.access.prefix:
        probes["to list the bucket outside the prefix"] = outside if climb.bucket_answers else []
    return {**probes, "to list the account's buckets": [s3.list_buckets]}


def _is_allowed(what: str, call: Callable[[], object]) -> bool | None:
    """None where the answer tells nothing of the role's permissions."""
    try:
        ask(f"Trying {what}", call)
    except (AccessDenied, ExplicitDeny):
        return False
    except AccessError:
        return None
    return True
