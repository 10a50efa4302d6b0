"""Builds what tests read: clients with a bucket, small files, ingested connections."""

import gzip
import io
import itertools
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from billing.models import RawRow
from ingestion.models import ClientConnection, DiscoveryRun, LoadAttempt, SourceFile
from ingestion.onboarding import Enabling, onboard, policies_of
from ingestion.pipeline import run
from ingestion.reruns import waiting
from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.server import SimulatedAws

_numbers = itertools.count(1)


@dataclass(frozen=True)
class ClientUnderTest:
    """A client as KCX knows it, and its account in the simulated AWS."""

    connection: ClientConnection
    account: ClientAccount

    def discover(self) -> DiscoveryRun:
        """List the bucket now."""
        found = run.discover(self.connection.pk, "test")
        assert found is not None
        return found

    def load_all(self) -> list[LoadAttempt]:
        """Load what waits, in order."""
        attempts = [run.load(file, "test") for file in waiting(self.connection)]
        return [attempt for attempt in attempts if attempt is not None]

    def ingest(self) -> list[LoadAttempt]:
        """Discover, then load what waits."""
        self.discover()
        return self.load_all()

    def file(self, key: str) -> SourceFile:
        """The newest registered version of `key`."""
        return SourceFile.objects.filter(connection=self.connection, key=key).latest("id")

    def rows(self, key: str) -> list[list[str | None]]:
        """The stored rows of the newest version of `key`, in order."""
        stored = RawRow.objects.filter(connection_id=self.connection.pk, source_file_id=self.file(key).pk)
        return list(stored.order_by("row_number").values_list("values", flat=True))


def new_client(aws: SimulatedAws, prefix: str = "exports/", *, enable: bool = True) -> ClientUnderTest:
    """A client onboarded as staff would, whose role carries exactly the policies KCX printed."""
    number = next(_numbers)
    account = ClientAccount(f"{200_000_000_000 + number}", f"client-{number}-billing", prefix)
    made = onboard(
        f"Client no. {number}",
        {"role_arn": account.role_arn, "bucket": account.bucket, "prefix": prefix, "region": account.region},
        Enabling("a test") if enable else None,
    )
    account.create_bucket()
    account.put_role(made.trust_policy, made.permission_policy)
    return ClientUnderTest(made.connection, account)


def let_in_again(client: ClientUnderTest) -> None:
    """The client makes its role anew, as KCX asks for it."""
    client.account.put_role(*policies_of(client.connection))


def csv_gz(text: str) -> bytes:
    """`text` as a gzip file; the same text gives the same bytes."""
    return gzip.compress(text.encode(), mtime=0)


def parquet(table: pa.Table, **options: object) -> bytes:
    """`table` as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()
