"""One rung of the ladder, and what a climb carries from one to the next."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from ingestion.aws_calls import Calls
from ingestion.errors import AccessDenied, AssumeRoleDenied
from ingestion.models import ClientConnection
from ingestion.pipeline.assume_role import RoleAccess, access_of, s3_client
from ingestion.pipeline.list_files import RemoteFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client  # types only: not installed where KCX runs

T = TypeVar("T")
PASSED, WARNING, FAILED, SKIPPED = "passed", "warning", "failed", "skipped"
SECONDS_BETWEEN = 1.0


@dataclass(frozen=True, slots=True)
class Rung:
    """What became of one rung. `verdict` is passed, warning, failed or skipped; `told` is what was found.

    `transient`: it failed by something that passes by itself, so it says nothing about the client's account.
    `error`: the code of what it failed by.
    """

    code: str
    title: str
    verdict: str
    told: str
    cause: str = ""
    remedy: str = ""
    transient: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a rung's work found where nothing failed."""

    told: str
    verdict: str = PASSED
    cause: str = ""
    remedy: str = ""


@dataclass
class Climb:
    """A climb under way."""

    connection: ClientConnection
    calls: Calls
    patient_until: float = field(default_factory=lambda: time.monotonic() + settings.KCX_IAM_SECONDS)
    pages: Iterator[list[RemoteFile]] = field(default_factory=lambda: iter(()))
    files: list[RemoteFile] = field(default_factory=list)
    newest: RemoteFile | None = None
    archived: int = 0
    # S3 answered for the bucket as it is entered: by its list, or by a refusal that is the role's.
    bucket_answers: bool = False
    _s3: "S3Client | None" = None

    @property
    def access(self) -> RoleAccess:
        """How the connection's bucket is reached. Raises AssumeRoleDenied where no role is entered."""
        if not self.connection.role_arn:
            raise AssumeRoleDenied("No role is entered on the connection yet.")
        return access_of(self.connection)

    @property
    def s3(self) -> "S3Client":
        """A client as the pipeline's own, session policy and all."""
        self._s3 = self._s3 or s3_client(self.access, self.calls)
        return self._s3

    def patiently(self, call: Callable[[], T]) -> T:
        """What `call` answers; asks again after a refusal while IAM may not know a new role yet."""
        while True:
            try:
                return call()
            except (AssumeRoleDenied, AccessDenied):
                if time.monotonic() + SECONDS_BETWEEN > self.patient_until:
                    raise
            time.sleep(SECONDS_BETWEEN)
