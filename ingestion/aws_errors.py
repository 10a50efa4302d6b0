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
    "AccessDenied": errors.AccessDenied,
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
    "RequestTimeTooSkewed": errors.ClockSkew,
    "InvalidClientTokenId": errors.NoIdentity,
    "SignatureDoesNotMatch": errors.NoIdentity,
}
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
    if code == "AccessDenied" and error.operation_name == "AssumeRole":
        return errors.AssumeRoleDenied
    if code.startswith("KMS.") or (code == "AccessDenied" and "kms:" in str(error)):
        return errors.KmsDenied
    if code == "AccessDenied" and "explicit deny" in message:
        return access_errors.ExplicitDeny
    if code == "SignatureDoesNotMatch" and message.startswith(SKEWED):
        return errors.ClockSkew
    return BY_CODE.get(code, errors.S3Unavailable)


def _sentence(error: ClientError) -> str:
    answer = error.response.get("Error", {})
    return f"AWS answered {answer.get('Code', 'an error')}: {answer.get('Message', 'no message')}"
