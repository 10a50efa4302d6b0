"""The rungs about the bucket: where it is, whose it is, and whether the prefix may be listed."""

from typing import Any

from ingestion.access.rung import WARNING, Climb, Found
from ingestion.access_errors import ForeignBucket, RequesterPays
from ingestion.deadline import ask
from ingestion.errors import AccessDenied, AccessError, IngestionError, NoSuchBucket, ObjectGone, WrongRegion
from ingestion.pipeline.list_files import list_files


def bucket_region(climb: Climb) -> Found:
    """The bucket exists, in the connection's region. Raises NoSuchBucket or WrongRegion.

    S3 names the region even where it refuses the HEAD, as it does where the role may list one prefix only.
    """
    access = climb.access
    try:
        answer: Any = ask(
            f"Asking for the bucket {access.bucket}",
            lambda: climb.s3.head_bucket(Bucket=access.bucket, ExpectedBucketOwner=access.owner),
        )
    except ObjectGone as error:
        raise NoSuchBucket(f"S3 knows no bucket {access.bucket}.") from error
    except AccessError as error:
        answer = getattr(error.__cause__, "response", {})
    region = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region")
    if region is None:
        return Found(
            f"S3 does not tell where {access.bucket} is.",
            WARNING,
            cause="S3 refused to speak of the bucket without naming its region.",
            remedy="Compare the connection's region with what the client sent.",
        )
    if region != access.region:
        raise WrongRegion(f"{access.bucket} is in {region}; the connection says {access.region}.")
    return Found(f"{access.bucket} is in {region}.")


def list_bucket(climb: Climb) -> Found:
    """The first page of the listing. Raises what AWS refuses, under the name of its cause."""
    try:
        climb.files = climb.patiently(lambda: _first_page(climb))
    except AccessDenied as error:
        raise _cause_of(climb, error) from error
    return Found(f"S3 listed s3://{climb.access.bucket}/{climb.access.prefix}.")


def _first_page(climb: Climb) -> Any:
    climb.pages = list_files(climb.s3, climb.access)
    return next(climb.pages, [])


def _cause_of(climb: Climb, refused: AccessDenied) -> IngestionError:
    """Why the list is refused, where S3 does not say: found by asking again for no names at all."""
    owner = climb.access.owner
    if _may_list(climb, ExpectedBucketOwner=owner, RequestPayer="requester"):
        return RequesterPays(f"S3 lists {climb.access.bucket} only for who offers to pay for it.")
    if _may_list(climb):
        return ForeignBucket(f"{climb.access.bucket} may be listed, and is not owned by account {owner}.")
    return refused


def _may_list(climb: Climb, **more: Any) -> bool:
    access = climb.access
    try:
        ask(
            "Listing nothing",
            lambda: climb.s3.list_objects_v2(Bucket=access.bucket, Prefix=access.prefix, MaxKeys=0, **more),
        )
    except AccessError:
        return False
    return True
