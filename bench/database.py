"""The server that is measured on, and a throw-away database on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import class_row, scalar_row

from kcx.embedded import server

FACTS = """
SELECT current_setting('server_version') AS version, current_setting('shared_buffers') AS shared_buffers,
       current_setting('fsync') AS fsync,
       CASE attcompression WHEN 'l' THEN 'lz4' WHEN 'p' THEN 'pglz'
            ELSE current_setting('default_toast_compression') END AS toast
FROM pg_attribute WHERE attrelid = 'billing_rawrow'::regclass AND attname = 'values'
"""


@dataclass(frozen=True)
class ServerFacts:
    """What the figures depend on. `toast` is the compression of the raw rows' values."""

    version: str
    shared_buffers: str
    fsync: str
    toast: str


def embedded_url(folder: Path) -> str:
    """The embedded server of `folder`, started; it stops with this process."""
    running = server.running(folder)
    return f"postgres:///postgres?host={quote(server.socket_folder(running))}&user={server.USER}"


@contextmanager
def throw_away(server_url: str) -> Iterator[str]:
    """The URL of an empty database of this process's own on that server, `kcx_bench_` and its id."""
    database = f"kcx_bench_{os.getpid()}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {database}")
        try:
            rest = {name: value for name, value in conninfo_to_dict(server_url).items() if name != "dbname"}
            yield f"postgres:///{database}?{urlencode(rest, quote_via=quote)}"
        finally:
            admin.execute(f"DROP DATABASE {database} WITH (FORCE)")


def facts(url: str) -> ServerFacts:
    """Of a migrated database."""
    with psycopg.connect(url) as session, session.cursor(row_factory=class_row(ServerFacts)) as cursor:
        return cursor.execute(FACTS).fetchall()[0]


def settle(url: str) -> None:
    """Write out what earlier loads left in memory, so that no later one pays for it (if the role may)."""
    with psycopg.connect(url, autocommit=True) as session, suppress(psycopg.errors.InsufficientPrivilege):
        session.execute("CHECKPOINT")


def table_bytes(url: str, table: str) -> int:
    """With its index and its TOAST table."""
    with psycopg.connect(url) as session, session.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [table]).fetchall()[0])
