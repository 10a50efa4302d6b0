"""The rounds: every job once in each, in turn, so that a busy moment of the machine strikes all alike."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.core.management import call_command

from bench import database, peer, table
from bench.report import PEER, Report
from bench.source import Figures, Source, in_a_child, refuse_wrong_load
from ingestion.models import SourceFile

Say = Callable[[str], object]


@dataclass(frozen=True)
class _Format:
    """One form of the table, and the client that delivers it."""

    name: str
    source: Source


def measure(url: str, rows: int, rounds: int, say: Say) -> Report:
    """Measure on the empty database of `url`, in the environment of a simulated AWS.

    Raises ValueError where a load is not right, CalledProcessError where a job fails.
    """
    call_command("migrate", verbosity=0)
    with TemporaryDirectory() as folder:
        csv_gz, parquet = Path(folder) / "bill.csv.gz", Path(folder) / "bill.snappy.parquet"
        say(f"Making {rows:,} rows")
        csv_bytes = table.write_csv_gz(csv_gz, rows)
        table.write_parquet(parquet, rows)
        formats = [_Format("csv.gz", Source(1, csv_gz)), _Format("Parquet", Source(2, parquet))]
        report = Report(rows, csv_bytes, csv_gz.stat().st_size, parquet.stat().st_size, database.facts(url))
        for number in range(1, rounds + 1):
            say(f"Round {number} of {rounds}")
            _round(url, formats, csv_gz, number, report)
    return report


def _round(url: str, formats: list[_Format], csv_gz: Path, number: int, report: Report) -> None:
    delivered = [(form, form.source.deliver(number)) for form in formats]
    for form, file in delivered:
        _ingest(url, form, file, report)
    _copy(url, csv_gz, report)
    for form, file in delivered:
        report.job(f"S3 endpoint alone, {form.name}").add(in_a_child("read_only", file))
        form.source.clear(file)


def _ingest(url: str, form: _Format, file: SourceFile, report: Report) -> None:
    database.settle(url)
    figures = in_a_child("ingest", file)
    refuse_wrong_load(file, report.rows)
    report.verified += 1
    report.job(f"KCX, {form.name}").add(figures, database.table_bytes(url, form.source.table))


def _copy(url: str, csv_gz: Path, report: Report) -> None:
    peer.create_table(url)
    database.settle(url)
    seconds = peer.copy_seconds(url, csv_gz)
    if (found := peer.count(url)) != report.rows:
        raise ValueError(f"{found} rows were copied of {report.rows}")
    report.verified += 1
    report.job(PEER).add(Figures(seconds), database.table_bytes(url, peer.TABLE))
