"""One object version's bytes over as many GETs as it takes; each is checked to be a piece of that version."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, FlexibleChecksumError
from botocore.response import StreamingBody
from urllib3.exceptions import HTTPError

from ingestion.aws_calls import BODY_RECEIVED
from ingestion.deadline import Pace
from ingestion.errors import ChecksumMismatch, StreamBroken, TooSlow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

READ_AHEAD = 2**20
# What a broken connection loses is fetched again, so little is asked of it at a time.
CHUNK = 2**17
# Seconds before each further GET for the same READ_AHEAD bytes; after the last, the load is given up.
PAUSES = (0, 1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class PinnedObject:
    """One version of one object. `size` in bytes as listed; `owner` is the bucket's account."""

    bucket: str
    key: str
    etag: str
    size: int
    owner: str


class ResumingBody:
    """The bytes of a pinned object in order, from the offset it was last moved to.

    Raises ObjectChanged or ObjectGone where this version is no longer there, StreamBroken where resuming
    did not help, TooSlow, and ChecksumMismatch where the whole object came by one GET: `has_compared` then
    tells that botocore has compared it with S3's checksum.
    """

    def __init__(self, s3: "S3Client", pinned: PinnedObject) -> None:
        self._s3 = s3
        self._pinned = pinned
        self._pace = Pace()
        self._body: StreamingBody | None = None
        self._is_whole = False
        self.position = 0
        self.has_compared = False

    def move(self, position: int) -> None:
        """Go on at another offset: the next read is a GET of its own."""
        if position != self.position:
            self.close()
            self.position = position

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, which the object must have."""
        pieces = []
        while size > 0:
            piece = self._receive(min(size, READ_AHEAD))
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def head(self) -> "HeadObjectOutputTypeDef":
        """What S3 says of this version, with the checksums it keeps."""
        return self._pace.ask(
            f"Checking {self._pinned.key}",
            lambda: self._s3.head_object(**self._version(), ChecksumMode="ENABLED"),
        )

    def close(self) -> None:
        """Give the connection back."""
        if self._body is not None:
            self._body.close()
            self._body = None

    def _receive(self, size: int) -> bytes:
        chunks: list[bytes] = []
        missing = size
        tries = iter(PAUSES)
        while missing:
            try:
                chunks.append(self._chunk(min(missing, CHUNK)))
                missing -= len(chunks[-1])
            except StreamBroken:
                self.close()
                pause = next(tries, None)
                if pause is None:
                    raise
                time.sleep(pause)
        return b"".join(chunks)

    def _chunk(self, size: int) -> bytes:
        body = self._body = self._body or self._open()
        try:
            data = self._pace.ask(f"Reading {self._pinned.key}", lambda: self._read(body, size))
        except TooSlow:
            self._body = None  # to close it would be to wait for the read that hangs
            raise
        self._pace.came(len(data))
        self._s3.meta.events.emit(BODY_RECEIVED, size=len(data))
        self.position += len(data)
        return data

    def _open(self) -> StreamingBody:
        # S3 sends an object's checksum with the whole object only, and botocore then compares it.
        arguments: Any = {"Range": f"bytes={self.position}-"} if self.position else {}
        answer = self._pace.ask(
            f"Reading {self._pinned.key}",
            lambda: self._s3.get_object(**self._version(), **arguments, ChecksumMode="ENABLED"),
        )
        self._refuse_another(dict(answer))
        self._is_whole = not self.position and answer.get("ChecksumType") == "FULL_OBJECT"
        return answer["Body"]

    def _version(self) -> dict[str, Any]:
        return {
            "Bucket": self._pinned.bucket,
            "Key": self._pinned.key,
            "IfMatch": self._pinned.etag,
            "ExpectedBucketOwner": self._pinned.owner,
        }

    def _refuse_another(self, answer: dict[str, Any]) -> None:
        """Raise StreamBroken for an answer that is not the rest of this version, such as an error's text."""
        start, size = self.position, self._pinned.size
        expected = {"ETag": self._pinned.etag, "ContentLength": size - start}
        if start:
            expected["ContentRange"] = f"bytes {start}-{size - 1}/{size}"
        got = {"ContentLength": size - start} | {name: answer[name] for name in expected if name in answer}
        if got != expected:
            answer["Body"].close()
            raise StreamBroken(f"S3 did not answer with {self._pinned.key} from byte {start} on, but {got}.")

    def _read(self, body: StreamingBody, size: int) -> bytes:
        """Up to `size` bytes, and, at the object's end, the empty read where botocore compares checksums."""
        where = f"Reading {self._pinned.key} broke at byte {self.position} of {self._pinned.size}"
        try:
            data: bytes = body.read(size)
        except (BotoCoreError, HTTPError, OSError) as error:
            raise StreamBroken(f"{where}: {error}") from error
        is_all = self.position + len(data) == self._pinned.size
        try:
            more = body.read(1) if is_all else b""
        except FlexibleChecksumError as error:
            raise ChecksumMismatch(f"The bytes received do not match S3's checksum: {error}") from error
        if more or not data:
            raise StreamBroken(f"{where}: S3 sent {'more than that' if more else 'no more'}.")
        self.has_compared = self.has_compared or (is_all and self._is_whole)
        return data
