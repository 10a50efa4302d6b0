"""What was measured: kept per round, told as medians, in a table or as JSON."""

import os
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.columns import ALL
from bench.database import ServerFacts
from bench.source import Figures

PEER = "zcat | psql \\copy"
HEADER = ("", "seconds", "rows/s", "x peer", "CPU s", "peak MB", "table MB")
TEXT = """\
{rows:,} rows x {columns} columns: {csv:,.1f} MB as CSV, {csv_gz:,.1f} as csv.gz, {parquet:,.1f} as Parquet
PostgreSQL {version}: TOAST compression {toast}, shared_buffers {shared_buffers}, fsync {fsync}
{cores} cores for loader, PostgreSQL and S3 endpoint together; load average {load_average:.2f} at the start
Rounds: {rounds}; medians of

{table}

All {verified} loads were verified outside the timed part: rows counted, KCX's digests compared.
KCX is timed from AssumeRole to the commit, in a fresh process that holds {idle:,.0f} MB before it.
The peer reads its csv.gz from the local disk, keeps no digest, and its table has no key.
"""


@dataclass
class Job:
    """One job's figures, round by round; the peer's are only seconds, and reading alone has no table."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    idle_mb: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)
    table_mb: list[float] = field(default_factory=list)

    def add(self, figures: Figures, table_bytes: int | None = None) -> None:
        """One round more."""
        for name, value in asdict(figures).items():
            if value is not None:
                getattr(self, name).append(value)
        if table_bytes is not None:
            self.table_mb.append(table_bytes / 1e6)


@dataclass
class Report:
    """All figures of a run. `verified` counts the loads whose rows were found right."""

    rows: int
    csv_bytes: int
    csv_gz_bytes: int
    parquet_bytes: int
    server: ServerFacts
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    load_average: float = field(default_factory=lambda: os.getloadavg()[0])
    verified: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)

    def job(self, name: str) -> Job:
        """The figures of that name, made on first use."""
        return self.jobs.setdefault(name, Job())

    def ratio_to_peer(self, name: str) -> float:
        """How many times the peer's seconds: the median over the rounds, each compared within itself."""
        pairs = zip(self.jobs[name].seconds, self.jobs[PEER].seconds, strict=True)
        return median(own / peer for own, peer in pairs)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every round's figures, and what is told of them."""
        told = asdict(self)
        for name, job in self.jobs.items():
            told["jobs"][name]["rows_per_second"] = self.rows / median(job.seconds)
            told["jobs"][name]["ratio_to_peer"] = self.ratio_to_peer(name)
        return told

    def as_text(self) -> str:
        """For people."""
        return TEXT.format(
            **asdict(self),
            **asdict(self.server),
            columns=len(ALL),
            csv=self.csv_bytes / 1e6,
            csv_gz=self.csv_gz_bytes / 1e6,
            parquet=self.parquet_bytes / 1e6,
            rounds=len(self.jobs[PEER].seconds),
            idle=max(median(job.idle_mb) for job in self.jobs.values() if job.idle_mb),
            table="\n".join([_line(*HEADER), *(self._told(name, job) for name, job in self.jobs.items())]),
        )

    def _told(self, name: str, job: Job) -> str:
        seconds = median(job.seconds)
        figures = (f"{seconds:.2f}", f"{self.rows / seconds:,.0f}", f"{self.ratio_to_peer(name):.2f}")
        return _line(
            name, *figures, *(_median(found) for found in (job.cpu_seconds, job.peak_mb, job.table_mb))
        )


def _median(values: list[float]) -> str:
    return f"{median(values):,.1f}" if values else "-"


def _line(name: str, *cells: str) -> str:
    return f"{name:<28}" + "".join(f"{cell:>10}" for cell in cells)
