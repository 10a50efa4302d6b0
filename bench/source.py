"""A client whose bucket holds the measured file; each load finds the database as empty as the first."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from billing.partitions import create_partition, drop_partition
from billing.read import rows_digest
from ingestion.models import SourceFile
from ingestion.onboarding import Enabling, onboard
from ingestion.pipeline import run
from kcx.simulated_aws.accounts import ClientAccount

JOB = "import django; django.setup(); from bench import child; child.measured(child.{job}, {file})"


@dataclass(frozen=True)
class Figures:
    """One job's cost: seconds of wall clock and of CPU, MB of its process before it and at its peak."""

    seconds: float
    cpu_seconds: float | None = None
    idle_mb: float | None = None
    peak_mb: float | None = None


class Source:
    """One client, onboarded as any other, and the one file it delivers again and again."""

    def __init__(self, number: int, path: Path) -> None:
        self._path = path
        self._account = ClientAccount(f"{400_000_000_000 + number}", f"bench-{number}", "exports/")
        made = onboard(
            f"Measured {path.name}",
            {
                "role_arn": self._account.role_arn,
                "bucket": self._account.bucket,
                "prefix": self._account.prefix,
                "region": self._account.region,
            },
            Enabling("the benchmark"),
        )
        self._account.create_bucket()
        self._account.put_role(made.trust_policy, made.permission_policy)
        self._connection = made.connection

    @property
    def table(self) -> str:
        """Where its rows are."""
        return f"billing_rawrow_{self._connection.pk}"

    def deliver(self, number: int) -> SourceFile:
        """Put the file into the bucket as a new object, and let a discovery register it."""
        key = f"exports/lines/{number}-{self._path.name}"
        self._account.put_object(key, self._path.read_bytes())
        run.discover(self._connection.pk, "bench")
        return SourceFile.objects.get(connection=self._connection, key=key)

    def clear(self, file: SourceFile) -> None:
        """Drop the rows with their partition, and the object."""
        self._account.delete_object(file.key)
        drop_partition(self._connection.pk)
        create_partition(self._connection.pk)


def in_a_child(job: str, file: SourceFile) -> Figures:
    """The figures of `child.<job>` for the file. Raises CalledProcessError."""
    command = [sys.executable, "-c", JOB.format(job=job, file=file.pk)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return Figures(**json.loads(told))


def refuse_wrong_load(file: SourceFile, rows: int) -> None:
    """Raise ValueError unless the file's rows are all there and have the digest that was written down."""
    file.refresh_from_db()
    if file.row_count != rows:
        raise ValueError(f"{file.row_count} rows were loaded of {rows}")
    if rows_digest(file.connection_id, file.pk) != file.rows_sha256:
        raise ValueError("the stored rows do not have the digest of the load")
