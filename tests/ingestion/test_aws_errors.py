"""What AWS answers, by KCX's names: what no server here can be made to answer."""

import pytest
from botocore.exceptions import ClientError

from ingestion.access_errors import Refused
from ingestion.aws_errors import translated
from ingestion.errors import CredentialsExpired, IngestionError, NoIdentity, S3Unavailable


def answered(code: str, status: int, operation: str = "GetObject") -> ClientError:
    """As botocore raises it."""
    told = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(told, operation)  # type: ignore[arg-type]  # of the metadata, the status is enough


@pytest.mark.parametrize(
    ("code", "status", "named"),
    [
        ("400", 400, S3Unavailable),  # to a HEAD, whatever the reason: an expired token, too
        ("405", 405, S3Unavailable),
        ("MethodNotAllowed", 405, Refused),
        ("NotThoughtOfYet", 403, Refused),
        ("NotThoughtOfYet", 409, S3Unavailable),
        ("NotThoughtOfYet", 500, S3Unavailable),
        ("ThrottlingException", 400, S3Unavailable),
    ],
)
def test_a_code_without_a_name_refuses_where_its_status_says_so(
    code: str, status: int, named: type[IngestionError]
) -> None:
    with pytest.raises(named, match="Reading x: AWS answered"), translated("Reading x"):
        raise answered(code, status)


@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InvalidToken"])
def test_a_session_that_s3_knows_no_more_is_an_expired_one(code: str) -> None:
    with pytest.raises(CredentialsExpired), translated("Reading x"):
        raise answered(code, 403)


@pytest.mark.parametrize(
    ("code", "status", "named"),
    [
        ("IDPCommunicationError", 400, S3Unavailable),
        ("InvalidIdentityToken", 400, S3Unavailable),
        ("InternalFailure", 500, S3Unavailable),
        ("AccessDenied", 403, NoIdentity),
        ("ExpiredTokenException", 400, NoIdentity),
    ],
)
def test_what_ends_kcxs_own_identity_is_told_as_that_and_never_as_the_clients_refusal(
    code: str, status: int, named: type[IngestionError]
) -> None:
    with pytest.raises(named), translated("Reading x"):
        raise answered(code, status, "AssumeRoleWithWebIdentity")
