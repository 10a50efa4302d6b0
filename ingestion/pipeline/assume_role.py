"""Step 1 of 7: the client's role, by STS and external id -> a boto3 session that renews itself."""

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

from ingestion.access_errors import ConnectionPurged
from ingestion.aws_calls import Calls
from ingestion.aws_errors import translated
from ingestion.aws_session import botocore_session
from ingestion.errors import NoIdentity
from ingestion.models import ClientConnection
from ingestion.policies import permission_policy

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

# `adaptive` would let one client's throttling slow another's; botocore's default changed in 2026.
CONFIG: Config = Config(  # type: ignore[call-arg]  # the stubs do not know user_agent_appid yet
    retries={"mode": "standard", "total_max_attempts": 6},
    connect_timeout=5,
    read_timeout=60,
    tcp_keepalive=True,
    user_agent_appid="kcx",
)
# With 900 botocore would call STS for every request; more than an hour fails under role chaining.
SESSION_SECONDS = 3600
EXPIRED = {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken"}


@dataclass(frozen=True, slots=True)
class RoleAccess:
    """All that is needed to reach one connection's bucket. `prefix` is exact; `owner` is an account id."""

    connection_id: int
    role_arn: str
    external_id: str
    region: str
    bucket: str
    prefix: str
    owner: str
    kms_key_arn: str = ""


def access_of(connection: ClientConnection) -> RoleAccess:
    """What the steps need to reach the connection's bucket. Raises ConnectionPurged."""
    if connection.purged_at:
        raise ConnectionPurged(f"{connection} was purged: its bucket is never looked at again.")
    return as_entered(connection)


def as_entered(connection: ClientConnection) -> RoleAccess:
    """How the connection's bucket is reached, or was."""
    return RoleAccess(
        connection_id=connection.pk,
        role_arn=connection.role_arn,
        external_id=connection.external_id,
        region=connection.region,
        bucket=connection.bucket,
        prefix=connection.prefix,
        owner=connection.owner,
        kms_key_arn=connection.kms_key_arn,
    )


def s3_client(access: RoleAccess, calls: Calls) -> "S3Client":
    """An S3 client under the connection's role, for the run that `calls` names and counts.

    Raises NoIdentity where KCX has no AWS identity of its own. STS is asked with the first request.
    """
    session = botocore_session()
    session.set_config_variable("region", access.region)
    # The only hook botocore has for credentials of one's own; every tool that renews them uses it.
    credentials = vars(session)["_credentials"] = _credentials(access, calls)
    s3 = boto3.Session(botocore_session=session).client("s3", config=CONFIG)
    calls.watch(s3.meta.events)
    renew: Any = partial(_renew_once, credentials)  # the stubs forget that a hook's answer counts
    s3.meta.events.register("needs-retry.s3", renew)
    return s3


def request_arguments(access: RoleAccess, run: str) -> dict[str, str | int]:
    """What is sent with AssumeRole, besides the role."""
    policy = permission_policy(
        access.role_arn.split(":")[1], access.bucket, access.prefix, access.kms_key_arn
    )
    return {
        "ExternalId": access.external_id,
        "RoleSessionName": f"kcx-c{access.connection_id}-{run}",
        "DurationSeconds": SESSION_SECONDS,
        "Policy": json.dumps(policy, separators=(",", ":")),
    }


class _Credentials(DeferredRefreshableCredentials):
    """Credentials of the role, asked for when first needed and before they expire."""

    def drop(self) -> None:
        """Forget them: the next request is signed with new ones."""
        self._frozen_credentials = None


def _credentials(access: RoleAccess, calls: Calls) -> _Credentials:
    own = botocore_session()
    with translated("Finding KCX's own AWS identity"):
        identity = own.get_credentials()
    if identity is None:
        raise NoIdentity("KCX has no AWS identity: boto3's default chain found no credentials.")

    def counted_client(service: Literal["sts"], **arguments: Any) -> Any:
        given: dict[str, Any] = {"region_name": access.region, "config": CONFIG}
        sts = own.create_client(service, **given | arguments)
        calls.watch(sts.meta.events)
        return sts

    def assume() -> dict[str, Any]:
        # A new fetcher each time: one that is kept would answer with the credentials it already has.
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=counted_client,
            source_credentials=identity,
            role_arn=access.role_arn,
            extra_args=request_arguments(access, calls.run),
        )
        return fetcher.fetch_credentials()

    return _Credentials(refresh_using=assume, method="assume-role")


def _renew_once(
    credentials: _Credentials, request_dict: dict[str, Any], response: tuple[Any, Any] | None, **_: object
) -> int | None:
    """botocore's hook: seconds until it tries again, or None. An expired session is renewed once a call."""
    code = response[1].get("Error", {}).get("Code") if response else None
    # The answer to a HEAD has no body that could say ExpiredToken: botocore makes a code of its status.
    expired = code in EXPIRED or (code == "400" and request_dict["method"] == "HEAD")
    if not expired or request_dict["context"].get("kcx_renewed"):
        return None
    request_dict["context"]["kcx_renewed"] = True
    credentials.drop()
    return 0
