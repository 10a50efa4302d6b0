"""S3 controls that AWS has and moto leaves out: region, owner, payer, foreign buckets, permissions."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMRequestBase
from moto.s3 import models as s3_models
from moto.s3.exceptions import BucketAccessDeniedError, MissingBucket, S3ClientError
from moto.s3.models import s3_backends
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from kcx.simulated_aws.permissions import refuse_unless_permitted
from kcx.simulated_aws.replacing import replaced

SIGNED_FOR = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/s3/")
REDIRECT = (
    "<?xml version='1.0' encoding='UTF-8'?>\n<Error><Code>PermanentRedirect</Code>"
    "<Message>The bucket must be addressed using the specified endpoint.</Message></Error>"
)


def _redirect_to_its_region(request: BaseResponse, bucket: str) -> None:
    signed = SIGNED_FOR.search(request.headers.get("Authorization", ""))
    region = _region_of(bucket)
    if signed is not None and signed[1] != region:
        headers = {"x-amz-bucket-region": region, "Content-Type": "application/xml"}
        raise HTTPException(response=Response(REDIRECT, 301, headers))


def _refuse_another_owner(request: BaseResponse, bucket: str) -> None:
    expected = request.headers.get("x-amz-expected-bucket-owner")
    _, owner = s3_backends.bucket_accounts[bucket]
    if expected not in (None, owner):
        raise BucketAccessDeniedError(bucket=bucket)


def _refuse_unpaid(request: BaseResponse, bucket: str) -> None:
    partition, owner = s3_backends.bucket_accounts[bucket]
    pays = getattr(s3_backends[owner][partition].get_bucket(bucket), "requester_pays", False)
    if pays and request.headers.get("x-amz-request-payer") != "requester":
        raise BucketAccessDeniedError(bucket=bucket)


def _refuse_what_is_not_there(request: BaseResponse, bucket: str) -> None:
    """Names of buckets are no secret in AWS: whoever asks for one that does not exist is told so."""
    if request.method == "HEAD":
        raise HTTPException(response=Response("", 404))
    if request.method == "GET":
        raise MissingBucket(bucket=bucket)


def _region_of(bucket: str) -> str:
    partition, owner = s3_backends.bucket_accounts[bucket]
    region: str = s3_backends[owner][partition].get_bucket(bucket).region_name
    return region


@contextmanager
def _telling_the_region(request: BaseResponse, bucket: str) -> Iterator[None]:
    """A HEAD has no body to tell why it is refused, and still tells the bucket's region."""
    try:
        yield
    except S3ClientError as error:
        if request.method != "HEAD":
            raise
        headers = {"x-amz-bucket-region": _region_of(bucket)}
        raise HTTPException(response=Response("", 403, headers)) from error


@contextmanager
def s3_controls() -> Iterator[None]:
    """While it lasts, moto also applies these controls (permissions only where IAM is enforced)."""
    authorize = BaseResponse._authenticate_and_authorize_s3_action

    def authorize_s3(
        request: BaseResponse, bucket_name: str | None = None, key_name: str | None = None
    ) -> None:
        exists = bucket_name in s3_backends.bucket_accounts
        if bucket_name is not None and not exists:
            _refuse_what_is_not_there(request, bucket_name)
        if bucket_name is None or not exists:
            authorize(request, bucket_name=bucket_name, key_name=key_name)
            return
        _redirect_to_its_region(request, bucket_name)
        with _telling_the_region(request, bucket_name):
            authorize(request, bucket_name=bucket_name, key_name=key_name)
            _refuse_another_owner(request, bucket_name)
            _refuse_unpaid(request, bucket_name)

    with (
        replaced(BaseResponse, "_authenticate_and_authorize_s3_action", authorize_s3),
        replaced(IAMRequestBase, "check_action_permitted", refuse_unless_permitted),
        replaced(s3_models, "s3_allow_crossdomain_access", lambda: False),
    ):
        yield
