"""The rungs about the bucket: where it is, whose it is, and whether the prefix may be listed."""

from typing import Any

from ingestion.access.refusal import cause_of
from ingestion.access.rung import WARNING, Climb, Found
from ingestion.access_errors import ExplicitDeny
from ingestion.deadline import ask
from ingestion.errors import AccessDenied, AccessError, NoSuchBucket, ObjectGone, WrongRegion
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
        cause = cause_of(climb.s3, climb.access, error)
        climb.bucket_answers = cause is error
        raise cause from error
    except ExplicitDeny:
        climb.bucket_answers = True
        raise
    climb.bucket_answers = True
    return Found(f"S3 listed s3://{climb.access.bucket}/{climb.access.prefix}.")


def _first_page(climb: Climb) -> Any:
    climb.pages = list_files(climb.s3, climb.access)
    return next(climb.pages, [])
