"""`python -m bench.download`: export many narrow rows in every format, beside `psql \\copy`."""

import argparse
import filecmp
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bench import database, over_http
from bench.__main__ import FOLDER, use
from bench.peer import PSQL
from kcx.simulated_aws.server import SimulatedAws

if TYPE_CHECKING:
    from ingestion.models import SourceFile

JOB = (
    "import django; django.setup(); from bench import child, download;"
    " child.measured(lambda file: download.export_to(file, {form!r}, {path!r}), {file})"
)
NAMES = ["line", "account", "product", "usage_type", "start", "cost", "currency", "owner"]
LINE = "{0:012x},12345678{1:04},AmazonEC2,BoxUsage:m5.large,2026-03-{2:02}T{3:02}:00:00Z,0.{0:010},USD,{4}\n"


def export_to(file_id: int, form: str, path: str) -> None:
    """The rows of a file as the command writes them."""
    from ingestion.exporting.export import export  # noqa: PLC0415  # Django's models need the settings first
    from ingestion.exporting.writers import Format  # noqa: PLC0415
    from ingestion.selection import of_file  # noqa: PLC0415

    with Path(path).open("wb") as target:
        target.writelines(export(of_file(file_id), Format(form)))


def main() -> None:
    """Load the rows once, then measure each job in a process of its own, in turn."""
    parser = argparse.ArgumentParser(prog="bench.download", description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    server_url = os.environ.get("DATABASE_URL") or database.embedded_url(FOLDER / "postgres")
    with ExitStack() as stack:
        url = stack.enter_context(database.throw_away(server_url))
        aws = stack.enter_context(SimulatedAws())
        folder = Path(stack.enter_context(TemporaryDirectory()))
        use(url, aws)
        file = _loaded(folder / "narrow.csv.gz", options.rows)
        _report(_measure(url, file, folder, options.rounds), options.rows)


def _loaded(path: Path, rows: int) -> "SourceFile":
    from django.core.management import call_command  # noqa: PLC0415

    from bench.source import Source, refuse_wrong_load  # noqa: PLC0415
    from ingestion.pipeline import run  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as lines:
        lines.write(",".join(NAMES) + "\n")
        for row in range(rows):
            owner = "" if row % 3 else f"team {row % 7}"
            lines.write(LINE.format(row, row % 40, row % 28 + 1, row % 24, owner))
    file = Source(1, path).deliver(1)
    run.load(file.pk, "bench")
    refuse_wrong_load(file, rows)
    return file


def _measure(url: str, file: "SourceFile", folder: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    figures: dict[str, list[dict[str, float]]] = defaultdict(list)
    secret = over_http.a_token()
    by_psql, by_kcx = folder / "psql.csv", folder / "kcx.csv"
    for _ in range(rounds):
        figures["psql"].append({"seconds": _psql_seconds(url, file, by_psql)})
        for form in ("csv", "parquet", "arrow", "ndjson"):
            path = folder / f"kcx.{form}"
            command = [sys.executable, "-c", JOB.format(form=form, path=str(path), file=file.pk)]
            told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            figures[form].append({**json.loads(told), "mb": path.stat().st_size / 1e6})
        for form in ("csv", "parquet"):
            figures[f"{form} by HTTP"].append(over_http.download(url, secret, file.pk, form))
        if not filecmp.cmp(by_psql, by_kcx, shallow=False):
            raise ValueError("the CSV of the export is not that of psql")
    return figures


def _psql_seconds(url: str, file: "SourceFile", path: Path) -> float:
    cells = sql.SQL(", ").join(
        sql.SQL('"values"[{}] AS {}').format(sql.Literal(place), sql.Identifier(name))
        for place, name in enumerate(NAMES, 1)
    )
    copy = sql.SQL(
        "\\copy (SELECT {} FROM {} WHERE connection_id = {} AND source_file_id = {} ORDER BY row_number)"
        " to {} (format csv, header)"
    ).format(
        cells,
        sql.Identifier(f"billing_rawrow_{file.connection_id}"),
        sql.Literal(file.connection_id),
        sql.Literal(file.pk),
        sql.Literal(str(path)),
    )
    target = conninfo_to_dict(url)
    environment = {**os.environ, "PGPASSWORD": str(target.pop("password", ""))}  # `ps` would show it
    command = [str(PSQL), "-X", "-q", "-v", "ON_ERROR_STOP=1", make_conninfo("", **target)]
    start = time.perf_counter()
    subprocess.run([*command, "-c", copy.as_string(None)], env=environment, check=True)
    return time.perf_counter() - start


def _report(figures: dict[str, list[dict[str, float]]], rows: int) -> None:
    """Medians, and the ratio to psql of the same run."""
    print(f"{rows:,} rows x {len(NAMES)} columns")
    medians = {
        job: {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        for job, rounds in figures.items()
    }
    for job, one in medians.items():
        ratio = one["seconds"] / medians["psql"]["seconds"]
        memory = f"{one['idle_mb']:5.0f} -> {one['peak_mb']:5.0f} MB" if "peak_mb" in one else ""
        speed = f"{one['seconds']:7.2f} s {rows / one['seconds']:10,.0f} rows/s"
        print(f"{job:16} {speed} {ratio:6.2f} x psql {memory}")
        if "small_busy_ms" in one:
            print(
                f"{'':16} small requests: {one['small_idle_ms']:.0f} ms alone, {one['small_busy_ms']:.0f} ms"
                f" beside it, {one['small_worst_ms']:.0f} ms at most"
            )


if __name__ == "__main__":
    main()
