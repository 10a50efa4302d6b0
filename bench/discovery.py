"""`python -m bench.discovery`: a first and a no-change discovery of a large prefix, beside its listing."""

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta

from bench import database
from bench.__main__ import FOLDER, use
from kcx.simulated_aws.server import SimulatedAws

JOB = (
    "import django; django.setup(); from bench import child, discovery; child.measured(discovery.{job}, {id})"
)
PARTS = 48
SNAPSHOTS = 10
MONTHS = 20


def discover(connection_id: int) -> None:
    """One discovery, as the worker does it."""
    from ingestion.pipeline import run  # noqa: PLC0415  # Django's models need the settings first

    found = run.discover(connection_id, "bench")
    if found is None or found.outcome != found.Outcome.SUCCEEDED:
        raise RuntimeError(f"the discovery failed: {found and found.error_message}")


def list_only(connection_id: int) -> None:
    """The bare listing, page by page to nowhere: what S3 alone takes."""
    from ingestion.aws_calls import Calls  # noqa: PLC0415
    from ingestion.models import ClientConnection  # noqa: PLC0415
    from ingestion.pipeline.assume_role import access_of, s3_client  # noqa: PLC0415
    from ingestion.pipeline.list_files import list_files  # noqa: PLC0415

    access = access_of(ClientConnection.objects.get(pk=connection_id))
    for _page in list_files(s3_client(access, Calls("bench")), access):
        pass


def main() -> None:
    """Fill a bucket, then measure each job in a process of its own."""
    parser = argparse.ArgumentParser(prog="bench.discovery", description=__doc__)
    parser.add_argument(
        "--deliveries", type=int, default=2000, help=f"of {PARTS} files (default: %(default)s)"
    )
    deliveries = parser.parse_args().deliveries
    with ExitStack() as stack:
        url = stack.enter_context(database.throw_away(database.embedded_url(FOLDER / "postgres")))
        aws = stack.enter_context(SimulatedAws())
        use(url, aws)
        connection_id, keys = _filled_bucket(aws, deliveries)
        print(f"{keys:,} keys, {deliveries:,} deliveries; seconds and peak MB, each in a process of its own")
        for told, job in [
            ("the bare listing", "list_only"),
            ("first discovery", "discover"),
            ("no-change discovery", "discover"),
            ("the bare listing again", "list_only"),
        ]:
            figures = _measured(job, connection_id)
            print(f"  {told:24} {figures['seconds']:8.1f} s {figures['peak_mb']:8.0f} MB")


def _measured(job: str, connection_id: int) -> dict[str, float]:
    command = [sys.executable, "-c", JOB.format(job=job, id=connection_id)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _filled_bucket(aws: SimulatedAws, deliveries: int) -> tuple[int, int]:
    """Create-new exports, each month restated SNAPSHOTS times; answers the connection and the keys."""
    from django.core.management import call_command  # noqa: PLC0415

    from kcx.simulated_aws.deliveries import BillingService  # noqa: PLC0415
    from kcx.simulated_aws.exports import ExportSpec, Family, Mode  # noqa: PLC0415
    from kcx.simulated_aws.tables.legacy import legacy_cur_csv_gz  # noqa: PLC0415
    from tests.builders import new_client  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    client = new_client(aws)
    service = BillingService(client.account)
    part = legacy_cur_csv_gz(date(2026, 1, 1), 1, 1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(deliveries):
        month, export = number // SNAPSHOTS % MONTHS, number // SNAPSHOTS // MONTHS
        spec = ExportSpec("exports/", f"export-{export}", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
        period = date(2024 + month // 12, month % 12 + 1, 1)
        service.deliver(spec, period, [part] * PARTS, at=start + timedelta(minutes=number))
    return client.connection.pk, len(client.account.list_keys())


if __name__ == "__main__":
    main()
