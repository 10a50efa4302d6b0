"""Step 2 of 7: the bucket's listing under the prefix -> frozen RemoteFile records, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ingestion.deadline import ask
from ingestion.errors import S3Unavailable
from ingestion.pipeline.assume_role import RoleAccess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs


ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One object as listed: metadata only. `size` in bytes; `etag` with its quotes; `key` exact.

    `restored`: S3 keeps a copy of an archived object that can be read for now.
    """

    key: str
    etag: str
    size: int
    last_modified: datetime
    storage_class: str
    restored: bool = False

    @property
    def is_archived(self) -> bool:
        """Must the client restore it before it can be read?"""
        return self.storage_class in ARCHIVES and not self.restored


def list_files(s3: "S3Client", access: RoleAccess, prefix: str | None = None) -> Iterator[list[RemoteFile]]:
    """Every object under the connection's exact prefix (or a longer one), in S3's order, in pages of 1,000.

    Raises an IngestionError where AWS refuses. Keys are decoded by botocore, which asks for URL encoding.
    """
    under = access.prefix if prefix is None else prefix
    doing = f"Listing s3://{access.bucket}/{under}"
    pages = iter(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=access.bucket,
            Prefix=under,
            ExpectedBucketOwner=access.owner,
            OptionalObjectAttributes=["RestoreStatus"],
        )
    )
    while (page := ask(doing, lambda: next(pages, None))) is not None:
        if page.get("Name") != access.bucket:  # an empty answer must not pass for an empty bucket
            raise S3Unavailable(f"{doing}: AWS answered with something that is not a listing.")
        yield [
            RemoteFile(
                key=item["Key"],
                etag=item["ETag"],
                size=item["Size"],
                last_modified=item["LastModified"],
                storage_class=item.get("StorageClass", "STANDARD"),
                # A restore that is under way has no such date yet.
                restored="RestoreExpiryDate" in item.get("RestoreStatus", {}),
            )
            for item in page.get("Contents", [])
        ]
