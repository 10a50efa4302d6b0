"""S3 controls that AWS has and moto leaves out: bucket owner, other accounts' buckets, session policies."""

from collections.abc import Iterator
from contextlib import contextmanager

from moto.core.responses import BaseResponse
from moto.iam.access_control import (
    AssumedRoleAccessKey,
    IAMPolicy,
    IAMPolicyStatement,
    IAMRequestBase,
    PermissionResult,
)
from moto.iam.exceptions import NotFoundException
from moto.s3 import models as s3_models
from moto.s3.exceptions import BucketAccessDeniedError
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends

from kcx.simulated_aws.conditions import matches_wildcards
from kcx.simulated_aws.replacing import replaced


def _refuse_another_owner(request: BaseResponse, bucket: str | None) -> None:
    expected = request.headers.get("x-amz-expected-bucket-owner")
    if bucket is None or expected is None or bucket not in s3_backends.bucket_accounts:
        return
    _, owner = s3_backends.bucket_accounts[bucket]
    if owner != expected:
        raise BucketAccessDeniedError(bucket=bucket)


def _refuse_outside_session_policy(request: IAMRequestBase, resource: str) -> None:
    key = request._access_key
    if not isinstance(key, AssumedRoleAccessKey):
        return
    sessions = sts_backends[key.account_id][key.partition]
    session = sessions.get_assumed_role_from_access_key(key._access_key_id)
    if session is None or not session.policy:
        return
    answer = IAMPolicy(session.policy).is_action_permitted(request._action, resource)
    if answer is not PermissionResult.PERMITTED:
        request._raise_access_denied()


def _match(pattern: str, text: str) -> str | None:
    return text if matches_wildcards(pattern, text) else None


@contextmanager
def s3_controls() -> Iterator[None]:
    """While it lasts, moto also applies these controls (session policies only where IAM is enforced)."""
    authorize = BaseResponse._authenticate_and_authorize_s3_action
    check = IAMRequestBase.check_action_permitted

    def authorize_s3(
        request: BaseResponse, bucket_name: str | None = None, key_name: str | None = None
    ) -> None:
        authorize(request, bucket_name=bucket_name, key_name=key_name)
        _refuse_another_owner(request, bucket_name)

    def check_permitted(request: IAMRequestBase, resource: str) -> None:
        if request._action == "s3:HeadBucket":  # no such action: AWS asks for this one
            request._action = "s3:ListBucket"
        try:
            check(request, resource)
        except NotFoundException:  # the role was deleted while its session lives on
            request._raise_access_denied()
        _refuse_outside_session_policy(request, resource)

    with (
        replaced(BaseResponse, "_authenticate_and_authorize_s3_action", authorize_s3),
        replaced(IAMRequestBase, "check_action_permitted", check_permitted),
        replaced(IAMPolicyStatement, "_match", staticmethod(_match)),
        replaced(s3_models, "s3_allow_crossdomain_access", lambda: False),
    ):
        yield
