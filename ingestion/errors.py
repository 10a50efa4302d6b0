"""The one error tree (leaves of bad files: file_errors.py): does trying again help, and what to do next."""

from collections.abc import Mapping
from typing import ClassVar


class IngestionError(Exception):
    """Something KCX can name. `str(error)` is a plain sentence for the person who reads it.

    `row` is the 1-based data row (the header is not a row) and `column` the source's column name,
    both None where the error is not about one. `evidence` is JSON that helps to find the place (byte offsets,
    a masked excerpt) and holds none of the client's values. `looked_at_twice`: permanent, if it comes again.
    """

    code: ClassVar[str] = "internal_error"
    transient: ClassVar[bool] = False
    looked_at_twice: ClassVar[bool] = False
    next_action: ClassVar[str] = "Report this to KCX's engineers; the worker's log has the details."

    def __init__(
        self,
        message: str,
        *,
        row: int | None = None,
        column: str | None = None,
        evidence: Mapping[str, int | str] | None = None,
    ) -> None:
        super().__init__(message)
        self.evidence = dict(evidence or {})
        self.row = row
        self.column = column

    @classmethod
    def codes(cls) -> set[str]:
        """Its own code, and those of all its kinds."""
        return {cls.code}.union(*(kind.codes() for kind in cls.__subclasses__()))


class UnexpectedError(IngestionError):
    """A fault in KCX itself: nothing in the tree below describes it."""


class TransientError(IngestionError):
    """Trying again helps: KCX does so by itself, with growing pauses."""

    transient = True
    next_action = "None: KCX tries again by itself."


class MayBeTheFile(TransientError):
    """Passes, or is this file's own doing: after `most` of these in a row KCX waits for a person.

    `at_last`: what that person can do.
    """

    most: ClassVar[int] = 10
    at_last: ClassVar[str]


class AccessError(IngestionError):
    """The client's account says no: somebody must change a role, a policy or a key."""

    code = "access_denied"
    # Set where nothing else of the connection could be read either.
    nothing_readable = False
    next_action = "Ask the client to grant the role the permissions on the connection's page, then retry."


class BadFileError(IngestionError):
    """The object's bytes cannot be loaded as they are, now or later."""

    code = "bad_file"
    next_action = "Ask the client or AWS for a new delivery of this file; a new version loads by itself."


class StorageError(IngestionError):
    """The database refused or lost the rows."""

    code = "database_error"


class S3Unavailable(TransientError):
    """S3 or STS answered with an error that passes, or not at all."""

    code = "aws_unavailable"


class StreamBroken(TransientError):
    """The connection broke, and resuming it did not help."""

    code = "stream_broken"


class TooSlow(TransientError):
    """AWS is slower than KCX_AWS_SECONDS and KCX_MIN_BYTES_PER_SECOND allow."""

    code = "too_slow"


class ChecksumMismatch(MayBeTheFile):
    """The bytes received do not have the checksum that S3 keeps for them."""

    code = "checksum_mismatch"
    at_last = "ask the client or AWS for a new delivery of this file; a new version loads by itself."


class CredentialsExpired(TransientError):
    """The short-lived credentials were refused as expired."""

    code = "credentials_expired"


class ObjectChanged(TransientError):
    """The object's ETag is no longer the listed one: it was overwritten since."""

    code = "object_changed"
    next_action = "None: the next discovery finds the new version."


class ObjectGone(TransientError):
    """The object is no longer there."""

    code = "object_gone"
    next_action = "None: the next discovery settles it."


class DeliveryNotLoaded(IngestionError):
    """A delivery that a person asked for: none that was left out, or something stands against it."""

    code = "delivery_not_loaded"
    next_action = "See to what the sentence names, if anything has to be done, then ask again."


class DatabaseUnavailable(TransientError):
    """PostgreSQL refused or dropped the connection, or was stopped."""

    code = "database_unavailable"


class NoIdentity(AccessError):
    """KCX itself has no AWS identity."""

    code = "no_identity"
    next_action = "Give the worker an AWS identity (boto3's default chain), then retry."


class AssumeRoleDenied(AccessError):
    """STS refused AssumeRole: no such role, a trust policy that does not name KCX, or another external id."""

    code = "assume_role_denied"
    next_action = "Ask the client to compare the role's trust policy with the one on the connection's page."


class AccessDenied(AccessError):
    """S3 refused the list or the read."""


class KmsDenied(AccessError):
    """The object is encrypted with a key the role may not use."""

    code = "kms_denied"
    next_action = "Enter the client's KMS key on the connection and ask for kms:Decrypt on it."


class NoSuchBucket(AccessError):
    """The bucket does not exist."""

    code = "no_such_bucket"
    next_action = "Compare the bucket's name with what the client sent."


class WrongRegion(AccessError):
    """The bucket is in another region."""

    code = "wrong_region"
    next_action = "Correct the connection's region."


class ClockSkew(AccessError):
    """AWS finds this machine's clock wrong."""

    code = "clock_skew"
    next_action = "Set the clock of KCX's own host; this is no fault of the client's."


class ArchivedObject(IngestionError):
    """The object is in an archive storage class and cannot be read until it is restored."""

    code = "archived_object"
    next_action = "Ask the client to restore the object; KCX never does, as it costs the client money."
