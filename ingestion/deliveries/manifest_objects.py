"""The objects that say what a delivery is: manifests, and the status file of Athena's layout."""

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.access.refusal import can_read_others
from ingestion.deadline import ask
from ingestion.errors import AccessError, ArchivedObject, ObjectChanged, ObjectGone
from ingestion.layouts.errors import BadManifest
from ingestion.layouts.keys import KeyFacts, Mode, Scope
from ingestion.layouts.manifests import MAX_BYTES, Manifest, parse_manifest
from ingestion.pipeline.assume_role import RoleAccess
from ingestion.pipeline.list_files import RemoteFile, list_files
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# AWS's has one row. The bytes: of the object, and of what it holds.
MAX_STATUS_BYTES = 2**20
MAX_STATUSES = 1000
UPDATING = "UPDATING"
# In the reasons of what is most often whole at the next look.
BEING_DELIVERED = "AWS is delivering"
# What pyarrow says of a damaged or encrypted file depends on where the damage is.
UNREADABLE_PARQUET = (pa.ArrowException, OSError, KeyError, ValueError)


@dataclass(frozen=True, slots=True)
class ListedManifest:
    """A manifest as the listing showed it, and what its key tells."""

    file: RemoteFile
    facts: KeyFacts


class Bucket:
    """Reads of one connection's bucket that tell what its deliveries are."""

    def __init__(self, s3: "S3Client", access: RoleAccess) -> None:
        self._s3 = s3
        self._access = access

    def manifest(self, listed: ListedManifest) -> Manifest:
        """The manifest's contents.

        Raises BadManifest, ArchivedObject, or ObjectChanged where it was overwritten since.
        """
        if listed.file.is_archived:
            sentence = f"{listed.file.key} is in the storage class {listed.file.storage_class}"
            raise ArchivedObject(f"{sentence}, and the client must restore it.")
        if listed.file.size > MAX_BYTES:
            raise BadManifest(f"The manifest has {listed.file.size:,} bytes, more than {MAX_BYTES:,}.")
        return parse_manifest(self._read(listed.file))

    def files(self, keys: tuple[str, ...]) -> dict[str, RemoteFile]:
        """Those of the keys that are in the bucket now, by one listing of what they have in common.

        Keys outside the connection's prefix are not looked for: the role does not reach them.
        """
        wanted = {key for key in keys if key.startswith(self._access.prefix)}
        if not wanted:
            return {}
        common = _common_start(min(wanted), max(wanted))
        pages = list_files(self._s3, self._access, common)
        return {file.key: file for page in pages for file in page if file.key in wanted}

    def why_updating(self, status: RemoteFile) -> str:
        """Why AWS is writing, or may be, as far as Athena's status file tells; '' where it does not.

        One that cannot be read, whatever the reason, does not tell that AWS is done.
        """
        unreadable = f"Athena's status file cannot be read, so AWS may be writing: {status.key}"
        if status.size > MAX_STATUS_BYTES:
            return f"{unreadable} has {status.size:,} bytes, more than {MAX_STATUS_BYTES:,}."
        try:
            found = _statuses(self._read(status))
        except (ObjectChanged, ObjectGone):
            found = [UPDATING]
        except (AccessError, ArchivedObject) as error:
            return f"{unreadable}. {error}"
        except UNREADABLE_PARQUET:
            return f"{unreadable} is no Parquet file with a column `status`."
        return f"Athena's status file says {UPDATING}: {BEING_DELIVERED}." if UPDATING in found else ""

    def can_read_others(self, refused: AccessError) -> bool:
        """After a refusal: can any file that is registered be read?"""
        return can_read_others(self._s3, self._access, refused)

    def holds(self, key: str, etag: str) -> bool:
        """Is this version of the object still there?"""
        try:
            ask(
                f"Checking {key}",
                lambda: self._s3.head_object(
                    Bucket=self._access.bucket, Key=key, IfMatch=etag, ExpectedBucketOwner=self._access.owner
                ),
            )
        except (ObjectChanged, ObjectGone):
            return False
        return True

    def _read(self, file: RemoteFile) -> bytes:
        pinned = PinnedObject(self._access.bucket, file.key, file.etag, file.size, self._access.owner)
        with ObjectReader(self._s3, pinned) as reader:
            body = reader.read()
            reader.verify()
            return body


def _statuses(parquet: bytes) -> list[object]:
    """Raises one of UNREADABLE_PARQUET, also for a file of a few bytes that would be read as gigabytes."""
    file = pq.ParquetFile(pa.BufferReader(parquet))
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    if sum(group.num_rows for group in groups) > MAX_STATUSES:
        raise pa.ArrowInvalid(f"More than {MAX_STATUSES} rows")
    if sum(group.total_byte_size for group in groups) > MAX_STATUS_BYTES:
        raise pa.ArrowInvalid(f"More than {MAX_STATUS_BYTES:,} bytes")
    return list(file.read(columns=["status"]).column("status").to_pylist())


def _common_start(first: str, last: str) -> str:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(character for character, _ in same)


def newest_per_period(manifests: list[ListedManifest]) -> dict[object, ListedManifest]:
    """By `period_of`, those that point to what is current; of Athena's two places the one written last."""
    newest: dict[object, ListedManifest] = {}
    for listed in manifests:
        if listed.facts.scope is Scope.CURRENT:
            period = period_of(listed)
            newest[period] = max(newest.get(period, listed), listed, key=_written)
    return newest


def period_of(listed: ListedManifest) -> object:
    """The export's billing period that the manifest is of."""
    facts = listed.facts
    return facts.root, facts.name, facts.key_layout, facts.period_start


def _written(listed: ListedManifest) -> tuple[object, ...]:
    # A period's folder names the mode, which the other place does not.
    return (listed.file.last_modified, listed.facts.mode is Mode.ATHENA, listed.file.key)
