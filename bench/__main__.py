"""`python -m bench`: measure a whole ingest beside `zcat | psql`, on this machine, now."""

import argparse
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import django

from bench import database
from kcx.simulated_aws.server import SimulatedAws

FOLDER = Path(__file__).resolve().parent.parent / "var" / "bench"
# What would lead the benchmark to a real queue or AWS account, or change what is measured.
FOREIGN = ("SECRET_KEY", "KCX_", "AWS_")
DESCRIPTION = """
Measures rows/s, seconds and peak memory of a whole ingest, from the S3 endpoint to the commit, for one
table as csv.gz and as Parquet, beside `zcat file | psql -c '\\copy ...'` of the same csv.gz on the same
server. The server is an embedded PostgreSQL of the benchmark's own, or that of DATABASE_URL (libpq's URL),
on which a throw-away database `kcx_bench_PID` is made and dropped. S3 and STS are simulated, over HTTP.
"""


def main() -> None:
    """Measure, then print a table, or with --json the figures of every round."""
    parser = argparse.ArgumentParser(prog="bench", description=DESCRIPTION)
    parser.add_argument("--rows", type=int, default=200_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    server_url = os.environ.get("DATABASE_URL") or database.embedded_url(FOLDER / "postgres")
    with ExitStack() as stack:
        url = stack.enter_context(database.throw_away(server_url))
        aws = stack.enter_context(SimulatedAws())
        use(url, aws)
        from bench.rounds import measure  # noqa: PLC0415  # Django's models need the settings first

        report = measure(url, options.rows, options.rounds, lambda told: print(told, file=sys.stderr))
    print(json.dumps(report.as_dict(), indent=2) if options.json else report.as_text())


def use(url: str, aws: SimulatedAws) -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "kcx.settings",
        "DATABASE_URL": url,
        "SECRET_KEY": "of the benchmark",
        **aws.environment(),
    }
    django.setup()


if __name__ == "__main__":
    main()
