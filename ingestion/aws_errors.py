"""Translates botocore's exceptions, once, into KCX's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    FlexibleChecksumError,
    NoCredentialsError,
)
from botocore.parsers import ResponseParserError

from ingestion import access_errors, errors

BY_CODE: dict[str, type[errors.IngestionError]] = {
    "403": errors.AccessDenied,
    "NoSuchKey": errors.ObjectGone,
    "404": errors.ObjectGone,
    "PreconditionFailed": errors.ObjectChanged,
    "412": errors.ObjectChanged,
    "NoSuchBucket": errors.NoSuchBucket,
    "PermanentRedirect": errors.WrongRegion,
    "AuthorizationHeaderMalformed": errors.WrongRegion,
    "301": errors.WrongRegion,
    "InvalidObjectState": errors.ArchivedObject,
    "ExpiredToken": errors.CredentialsExpired,
    "ExpiredTokenException": errors.CredentialsExpired,
    "TokenRefreshRequired": errors.CredentialsExpired,
    "InvalidAccessKeyId": errors.CredentialsExpired,
    "InvalidToken": errors.CredentialsExpired,
    "RequestTimeTooSkewed": errors.ClockSkew,
    "InvalidClientTokenId": errors.NoIdentity,
    "SignatureDoesNotMatch": errors.NoIdentity,
    "AllAccessDisabled": access_errors.AccountProblem,
    "AccountProblem": access_errors.AccountProblem,
}
# What S3 passes on from KMS, without the `KMS.` before and the `Exception` behind. All else passes: of a key
# that is unavailable, too, AWS says that the request can be retried.
KMS_DENIED = {"AccessDenied", "Disabled", "NotFound", "InvalidState", "KMSInvalidState", "InvalidKeyUsage"}
# Without an own name, these refuse; those of PASSING are answered with them all the same.
REFUSING = {400, 403, 405}
PASSING = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "SlowDown"),
    *("RequestThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
    *("BandwidthLimitExceeded", "LimitExceededException", "PriorRequestNotComplete"),
    *("RequestTimeout", "RequestTimeoutException", "IncompleteBody", "InternalError", "ServiceUnavailable"),
}
# How KCX gets its own identity where a platform's token stands for it: botocore asks with the first request.
OWN_IDENTITY = "AssumeRoleWithWebIdentity"
PASSING_OF_OWN = {*PASSING, "IDPCommunicationError", "InvalidIdentityToken"}
# How STS says what S3 calls RequestTimeTooSkewed.
SKEWED = ("Signature expired", "Signature not yet current")


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise what AWS answers inside the block as an IngestionError that begins with `doing`."""
    try:
        yield
    except ClientError as error:
        raise _named(error)(f"{doing}: {_sentence(error)}") from error
    except (NoCredentialsError, CredentialRetrievalError) as error:
        raise errors.NoIdentity(f"{doing}: KCX has no AWS credentials ({error}).") from error
    except FlexibleChecksumError as error:
        raise errors.ChecksumMismatch(f"{doing}: {error}") from error
    except (BotoCoreError, ResponseParserError) as error:
        raise errors.S3Unavailable(f"{doing}: {error}") from error


def _named(error: ClientError) -> type[errors.IngestionError]:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    if error.operation_name == OWN_IDENTITY:
        passes = code in PASSING_OF_OWN or _status(error) not in REFUSING
        return errors.S3Unavailable if passes else errors.NoIdentity
    if code == "AccessDenied":
        return _denied(error, message)
    if code.startswith("KMS."):
        reason = code.removeprefix("KMS.").removesuffix("Exception")
        return errors.KmsDenied if reason in KMS_DENIED else errors.S3Unavailable
    if code == "SignatureDoesNotMatch" and message.startswith(SKEWED):
        return errors.ClockSkew
    if code == "InvalidRequest" and "Server Side Encryption" in message:
        return access_errors.CustomerKey
    return BY_CODE.get(code) or _unknown(error, code)


def _denied(error: ClientError, message: str) -> type[errors.IngestionError]:
    if error.operation_name == "AssumeRole":
        return errors.AssumeRoleDenied
    if "kms:" in str(error):
        return errors.KmsDenied
    return access_errors.ExplicitDeny if "explicit deny" in message else errors.AccessDenied


def _unknown(error: ClientError, code: str) -> type[errors.IngestionError]:
    """A code that is only a number is that of an answer without a text, as to a HEAD: it tells no reason."""
    if code.isdigit() or code in PASSING or _status(error) not in REFUSING:
        return errors.S3Unavailable
    return access_errors.SessionRefused if error.operation_name == "AssumeRole" else access_errors.Refused


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _sentence(error: ClientError) -> str:
    answer = error.response.get("Error", {})
    return f"AWS answered {answer.get('Code', 'an error')}: {answer.get('Message', 'no message')}"
