"""Step 4 of 7: one object version as a seekable reader, pinned by If-Match; reading on is one request."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import FlexibleChecksumError
from botocore.response import StreamingBody
from smart_open.s3 import Reader

from ingestion.aws_errors import translated
from ingestion.checksums import compare
from ingestion.digests import InOrderDigest
from ingestion.errors import ChecksumMismatch, StreamBroken

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

READ_AHEAD = 2**20


@dataclass(frozen=True, slots=True)
class PinnedObject:
    """One version of one object. `size` in bytes as listed; `owner` is the bucket's account."""

    bucket: str
    key: str
    etag: str
    size: int
    owner: str


class ObjectReader(io.BufferedIOBase):
    """The bytes of a pinned object. Touches no disk; holds READ_AHEAD bytes.

    Reading on is one GET that resumes at the byte where it broke; reading elsewhere is a GET of its own.
    Raises ObjectChanged or ObjectGone where this version is no longer there, StreamBroken where resuming
    did not help.
    """

    def __init__(self, s3: "S3Client", pinned: PinnedObject) -> None:
        self._pinned = pinned
        self._client = _PinnedClient(s3, pinned)
        self._reader = Reader(
            pinned.bucket,
            pinned.key,
            buffer_size=READ_AHEAD,
            defer_seek=True,
            client=cast("S3Client", self._client),
        )
        self._position = 0
        self._digest = InOrderDigest(pinned.size)
        self.bytes_read = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move without asking S3: the next read does, where it must."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._pinned.size}[whence]
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """`size` bytes, fewer only at the end of the object; all that is left without a size."""
        left = max(self._pinned.size - self._position, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._fetch(self._position, wanted)
        self._digest.saw(self._position, data)
        self._position += len(data)
        self.bytes_read += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; answers how many bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def sha256(self) -> str:
        """The digest, in hex, of the whole object in file order; fetches what was never read."""
        try:
            return self._digest.finish(self._fetch)
        except EOFError as error:
            raise StreamBroken(f"{self._pinned.key} ended early: {error}") from error

    def verified_sha256(self) -> str:
        """Answer `sha256()` of bytes that were compared with S3's checksum, where S3 keeps one.

        Raises ChecksumMismatch.
        """
        digest = self.sha256()
        if not self._client.has_compared:
            compare(self._digest, self._pinned.etag, self._client.head())
        return digest

    def close(self) -> None:
        """Give the connection back."""
        self._reader.close()
        super().close()

    def _fetch(self, offset: int, size: int) -> bytes:
        if size == 0:
            return b""
        try:
            if self._reader.tell() != offset:
                self._reader.seek(offset)
            data: bytes = self._reader.read(size)
        except OSError as error:  # smart_open's, after its own tries
            raise StreamBroken(f"Reading {self._pinned.key} broke at byte {offset}: {error}") from error
        if len(data) < size:
            raise StreamBroken(
                f"{self._pinned.key} ended at byte {offset + len(data)} of {self._pinned.size}"
            )
        return data


class _PinnedClient:
    """What smart_open sees as S3: every GET asks for this version, from this owner, with its checksum.

    `has_compared` tells whether botocore has compared the whole object with S3's checksum.
    """

    def __init__(self, s3: "S3Client", pinned: PinnedObject) -> None:
        self._s3 = s3
        self._pinned = pinned
        self._body: _CheckedBody | None = None

    @property
    def has_compared(self) -> bool:
        return self._body is not None and self._body.has_compared

    def head(self) -> "HeadObjectOutputTypeDef":
        with translated(f"Checking {self._pinned.key}"):
            return self._s3.head_object(
                Bucket=self._pinned.bucket,
                Key=self._pinned.key,
                IfMatch=self._pinned.etag,
                ExpectedBucketOwner=self._pinned.owner,
                ChecksumMode="ENABLED",
            )

    def get_object(self, **arguments: Any) -> dict[str, Any]:
        if arguments.get("Range") == "bytes=0-":
            # S3 sends an object's checksum with the whole object only, and botocore then compares it.
            del arguments["Range"]
        with translated(f"Reading {self._pinned.key}"):
            answer = self._s3.get_object(
                **arguments,
                IfMatch=self._pinned.etag,
                ExpectedBucketOwner=self._pinned.owner,
                ChecksumMode="ENABLED",
            )
        is_whole = "Range" not in arguments and answer.get("ChecksumType") == "FULL_OBJECT"
        self._body = _CheckedBody(answer["Body"], answer.get("ContentLength", -1), is_whole=is_whole)
        return {**answer, "Body": self._body}


class _CheckedBody:
    """A response's body, read to the empty read behind it: only there botocore compares checksums."""

    def __init__(self, body: StreamingBody, length: int, *, is_whole: bool) -> None:
        self._body = body
        self._left = length
        self._is_whole = is_whole
        self.has_compared = False

    def read(self, size: int | None = None) -> bytes:
        try:
            data: bytes = self._body.read(size)
            self._left -= len(data)
            if self._left == 0 and data:
                self._body.read(1)
                self.has_compared = self._is_whole
        except FlexibleChecksumError as error:
            raise ChecksumMismatch(f"The bytes received do not match S3's checksum: {error}") from error
        return data

    def close(self) -> None:
        self._body.close()
