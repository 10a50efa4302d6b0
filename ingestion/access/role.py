"""The rungs about identities: KCX's own, the role's, and the external id that must be asked for."""

import uuid
from typing import TYPE_CHECKING, Any

import boto3
from django.conf import settings

from ingestion.access.rung import WARNING, Climb, Found
from ingestion.access_errors import UnsafeRole, WrongAccount
from ingestion.aws_session import boto3_session
from ingestion.deadline import ask
from ingestion.errors import AssumeRoleDenied
from ingestion.pipeline.assume_role import CONFIG, request_arguments

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient  # types only: not installed where KCX runs

# The shortest that STS gives: these sessions make a handful of calls.
SECONDS = 900


def identity(climb: Climb) -> Found:
    """Who KCX is to AWS. Raises NoIdentity."""
    answer = ask(
        "Finding KCX's own AWS identity", lambda: _sts(climb.connection.region).get_caller_identity()
    )
    told = f"KCX is {answer['Arn']}."
    expected = settings.KCX_AWS_ACCOUNT_ID
    if expected and expected != answer["Account"]:
        return Found(
            told,
            WARNING,
            cause=f"Clients are told to trust the account {expected}, and KCX runs in {answer['Account']}.",
            remedy="Correct KCX_AWS_ACCOUNT_ID, or the identity KCX runs with.",
        )
    return Found(told)


def assume_role(climb: Climb) -> Found:
    """The right external id opens the role, in the account it should be in. Raises AssumeRoleDenied."""
    session = climb.patiently(lambda: assumed(climb))
    sts = session.client("sts", region_name=climb.connection.region, config=CONFIG)
    seen = ask("Asking who the role is", sts.get_caller_identity)
    expected = climb.access.role_arn.split(":")[4]
    if seen["Account"] != expected:
        raise WrongAccount(f"The role should be in account {expected}; its session is in {seen['Account']}.")
    return Found(f"STS gave a session in account {expected}: {seen['Arn']}.")


def external_id_missing(climb: Climb) -> Found:
    """AssumeRole that sends no external id must be refused. Raises UnsafeRole."""
    return _must_be_refused(climb, "without an external id", {"ExternalId": None})


def external_id_wrong(climb: Climb) -> Found:
    """AssumeRole that sends another external id must be refused. Raises UnsafeRole."""
    return _must_be_refused(climb, "with a wrong external id", {"ExternalId": str(uuid.uuid4())})


def assumed(climb: Climb, changes: dict[str, str | None] | None = None) -> boto3.Session:
    """A session of the role, asked for as the pipeline does but for `changes` (None leaves one out)."""
    access = climb.access
    arguments: dict[str, Any] = {
        "RoleArn": access.role_arn,
        **request_arguments(access, climb.calls.run),
        "DurationSeconds": SECONDS,
        **(changes or {}),
    }
    sent = {name: value for name, value in arguments.items() if value is not None}
    doing = f"Assuming {access.role_arn}"
    sts = _sts(access.region)
    climb.calls.watch(sts.meta.events)
    credentials = ask(doing, lambda: sts.assume_role(**sent))["Credentials"]
    session = boto3_session(
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    climb.calls.watch(session.events)
    return session


def _must_be_refused(climb: Climb, how: str, changes: dict[str, str | None]) -> Found:
    try:
        assumed(climb, changes)
    except AssumeRoleDenied:
        return Found(f"STS refused the role {how}, as it should.")
    raise UnsafeRole(f"STS gave KCX a session of the role {how}.")


def _sts(region: str) -> "STSClient":
    return boto3_session().client("sts", region_name=region, config=CONFIG)
