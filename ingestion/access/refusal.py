"""Why S3 refuses, where it does not say, and whether it refuses one file or all of a connection's."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.db import transaction

from ingestion.access.state import refused_codes
from ingestion.access_errors import (
    AccountProblem,
    CustomerKey,
    ExplicitDeny,
    ForeignBucket,
    Refused,
    RequesterPays,
)
from ingestion.deadline import Pace
from ingestion.errors import AccessDenied, AccessError, IngestionError, KmsDenied, TooSlow
from ingestion.models import ClientConnection, Export, SourceFile
from ingestion.pipeline.assume_role import RoleAccess
from ingestion.pipeline.update_registry import retry_now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

# By these S3 refuses a read; the last two are the bucket's, whatever the file.
OF_BUCKET = (RequesterPays, ForeignBucket)
OF_READS = (AccessDenied, ExplicitDeny, KmsDenied, CustomerKey, AccountProblem, Refused, *OF_BUCKET)
# So many other files are tried at most before a refusal is held to be the connection's.
TRIED = 20
REFUSED_TRIED = 3

Status = SourceFile.Status


@contextmanager
def causes_named(s3: "S3Client", access: RoleAccess, pace: Pace | None = None) -> Iterator[None]:
    """Raise what S3 refuses inside the block without a reason under the name of its cause.

    Here and below `pace` bounds all questions together.
    """
    try:
        yield
    except AccessDenied as error:
        cause = cause_of(s3, access, error, pace)
        if cause is error:
            raise
        raise cause from error


@contextmanager
def refusals_judged(s3: "S3Client", access: RoleAccess, file: SourceFile) -> Iterator[None]:
    """As `causes_named`, for one file's load: the error also says whether nothing else can be read either."""
    pace = Pace()  # the session of the load is idle meanwhile, and may be so for one wait only
    try:
        with causes_named(s3, access, pace):
            yield
    except OF_READS as error:
        others = _sample(file.connection_id, without=file.pk)
        error.nothing_readable = isinstance(error, OF_BUCKET) or bool(
            refused_everywhere(s3, access, others, error, pace)
        )
        raise


def look_again(s3: "S3Client", connection: ClientConnection, access: RoleAccess) -> None:
    """Where a load found that nothing can be read: raise the refusal if it lasts, else let loads go on."""
    if connection.reads_refused_at is None:
        return
    if error := refused_everywhere(s3, access, _sample(connection.pk)):
        raise error
    go_on(connection.pk)


@transaction.atomic
def go_on(connection_id: int) -> None:
    """Loads go on, and what was refused before is tried again."""
    refused = {"status": Status.FAILED, "error_code__in": AccessError.codes()}
    retry_now(SourceFile.objects.filter(connection=connection_id, **refused))
    ClientConnection.objects.filter(pk=connection_id).update(reads_refused_at=None)


def cause_of(
    s3: "S3Client", access: RoleAccess, refused: AccessDenied, pace: Pace | None = None
) -> AccessError:
    """Why S3 refuses, found by asking for a list of no names; the refusal itself where that is allowed."""
    pace = pace or Pace()
    if _may_list(s3, access, pace, ExpectedBucketOwner=access.owner):
        return refused
    if _may_list(s3, access, pace, ExpectedBucketOwner=access.owner, RequestPayer="requester"):
        return RequesterPays(f"S3 lists {access.bucket} only for who offers to pay for it.")
    if _may_list(s3, access, pace):
        return ForeignBucket(f"{access.bucket} may be listed, and is not owned by account {access.owner}.")
    return refused


def refused_everywhere(
    s3: "S3Client",
    access: RoleAccess,
    keys: Iterable[str],
    refused: AccessError | None = None,
    pace: Pace | None = None,
) -> AccessError | None:
    """The (first) refusal, where none of these can be read; None where one can, or none is refused.

    Those that could not be asked for in time tell nothing.
    """
    pace = pace or Pace()
    for key in keys:
        try:
            _read_first_byte(s3, access, key, pace)
        except OF_READS as error:
            refused = refused or error
        except TooSlow:
            break
        except IngestionError:
            continue  # gone, archived or an outage: says nothing of what the role may read
        else:
            return None
    return refused


def can_read_others(s3: "S3Client", access: RoleAccess, refused: AccessError) -> bool:
    """After a refusal of what is not registered: can a file of the connection be read?"""
    return refused_everywhere(s3, access, _sample(access.connection_id), refused) is None


def _sample(connection_id: int, without: int = 0) -> Iterator[str]:
    """Keys that tell most: the newest ingested, the newest of each export, some that were refused."""
    files = SourceFile.objects.filter(connection=connection_id, size__gt=0).exclude(pk=without)
    ingested = files.filter(ingested_at__isnull=False).order_by("-ingested_at")[:1]
    new = files.filter(status=Status.NEW, export__decision=Export.Decision.LOAD)
    of_each_export = new.order_by("export_id", "-pk").distinct("export_id")[:TRIED]
    refused = files.filter(status=Status.FAILED, error_code__in=refused_codes()).order_by("-pk")
    parts = (ingested, of_each_export, refused[:REFUSED_TRIED])
    return islice((key for part in parts for key in part.values_list("key", flat=True)), TRIED)


def _read_first_byte(s3: "S3Client", access: RoleAccess, key: str, pace: Pace) -> None:
    owned: Any = {"Bucket": access.bucket, "Key": key, "ExpectedBucketOwner": access.owner}
    pace.ask(f"Trying {key}", lambda: s3.get_object(**owned, Range="bytes=0-0"))["Body"].close()


def _may_list(s3: "S3Client", access: RoleAccess, pace: Pace, **more: Any) -> bool:
    where: Any = {"Bucket": access.bucket, "Prefix": access.prefix, "MaxKeys": 0, **more}
    try:
        pace.ask("Listing nothing", lambda: s3.list_objects_v2(**where))
    except AccessError:
        return False
    return True
