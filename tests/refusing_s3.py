"""The simulated S3, answering the GET of single objects with errors that AWS gives and moto cannot."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from moto.core.responses import BaseResponse
from moto.s3.exceptions import S3ClientError

from kcx.simulated_aws.replacing import replaced


@contextmanager
def refusing(refusals: Mapping[str, tuple[str, str]]) -> Iterator[None]:
    """While it lasts, the GET of each of these keys is answered with its code and message."""
    authorize = BaseResponse._authenticate_and_authorize_s3_action

    def refuse(request: BaseResponse, bucket_name: str | None = None, key_name: str | None = None) -> None:
        if request.method == "GET" and key_name in refusals:
            raise S3ClientError(*refusals[key_name])
        authorize(request, bucket_name=bucket_name, key_name=key_name)

    with replaced(BaseResponse, "_authenticate_and_authorize_s3_action", refuse):
        yield
