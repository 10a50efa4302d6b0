"""The demo from its first line to the last process it stops."""

import json
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from kcx.demo.clients import (
    CLIENTS,
    DAMAGED_FILES,
    RESTATED,
    DemoClient,
    deliver_history,
    deliver_on,
    restate,
)
from kcx.demo.processes import Children
from kcx.embedded import server
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.server import SimulatedAws

HOST = "127.0.0.1"
QUIETLY = ("--no-control-socket", "--log-level=warning")
WHERE_TO_LOOK = """
== The rows are in the views billing_rows_current and billing_rows_all, for example
  KCX_DATA_DIR={folder} .venv/bin/python manage.py shell -c "
from django.db import connection as c; q = c.cursor()
q.execute('SELECT source_key, row_number, data FROM billing_rows_current LIMIT 1'); print(q.fetchone())" """
Say = Callable[[str], object]


def show(folder: Path, port: int, every_seconds: int, say: Say, *, serve: bool) -> None:
    """Set everything up anew in `folder`, ingest, and with `serve` go on until Ctrl-C.

    Raises OSError where the port is taken, CalledProcessError where a command fails. Stops all it started.
    """
    if serve:
        _refuse_taken_port(port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        try:
            services, children = _set_up(folder, stack, say)
            _ingest(services, children, say)
            say("\n== The registry: manage.py status")
            children.manage("status")
            say(WHERE_TO_LOOK.format(folder=folder))
            if serve:
                _serve(services, children, port, every_seconds, say)
        except KeyboardInterrupt:
            say("\nStopping.")
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave processes behind


def _set_up(folder: Path, stack: ExitStack, say: Say) -> tuple[dict[DemoClient, BillingService], Children]:
    database = folder / "postgres"
    server.stop(database)
    shutil.rmtree(folder, ignore_errors=True)
    say(f"== A fresh embedded PostgreSQL in {database} (DATABASE_URL is ignored), and a simulated AWS")
    server.running(database)
    stack.callback(server.stop, database)
    aws = stack.enter_context(SimulatedAws())
    children = Children(
        {"KCX_DATA_DIR": str(folder), "LOG_LEVEL": "ERROR", "KCX_DRAIN_SECONDS": "10", **aws.environment()}
    )
    stack.callback(children.stop)
    children.manage("migrate", "--verbosity", "0")
    say(f"\n== {len(CLIENTS)} clients: manage.py onboard, AWS delivers, manage.py check_access")
    services = {client: _onboard(client, children, say) for client in CLIENTS}
    return {client: service for client, service in services.items() if client.asks_for_external_id}, children


def _onboard(client: DemoClient, children: Children, say: Say) -> BillingService:
    account = client.account
    told = children.asked(
        *("onboard", "--client", client.name, "--role-arn", account.role_arn, "--bucket", account.bucket),
        *("--prefix", account.prefix, "--region", account.region, "--discover-every", "1"),
        *("--load-new-exports", "--json"),
    )
    made = json.loads(told)
    account.create_bucket()
    client.make_role(made["trust_policy"], made["permission_policy"])
    service = deliver_history(client)
    say(f"{client.name}: s3://{account.bucket}/{account.prefix} as {account.role_arn}")
    connection = ("--connection", str(made["connection_id"]))
    (found,) = json.loads(children.asked("check_access", *connection, "--enable", "--json", may_refuse=True))
    say(f"  {_access_told(found)}")
    return service


def _access_told(found: dict[str, Any]) -> str:
    """The check in a line: a role that lets KCX in without the external id is refused, and stays disabled."""
    failed = [rung["title"] for rung in found["rungs"] if rung["verdict"] == "failed"]
    if found["enabled"]:
        return f"access check: {len(found['rungs'])} rungs, {found['outcome'].lower()}; enabled"
    return f"access check: {found['outcome'].lower()}; stays disabled. Not so: {'; '.join(failed)}"


def _ingest(services: dict[DemoClient, BillingService], children: Children, say: Say) -> None:
    """What is there, then each restatement. Raises RuntimeError where other files fail than are damaged."""
    say("\n== Discover and ingest: manage.py ingest")
    children.manage("ingest", may_fail=True)
    failed = sum(one["files"]["failed"] for one in json.loads(children.asked("status", "--json")))
    if failed != DAMAGED_FILES:
        raise RuntimeError(f"files failed: {failed}; damaged in the clients' buckets: {DAMAGED_FILES}")
    say("The one that failed is damaged in the client's bucket, on purpose: none of its rows is kept.")
    for refresh in range(1, 1 + len(RESTATED)):
        say("\n== AWS restates the running month: manage.py ingest")
        restate(services, refresh)
        children.manage("ingest")


def _serve(
    services: dict[DemoClient, BillingService], children: Children, port: int, every_seconds: int, say: Say
) -> None:
    password = secrets.token_urlsafe(9)
    children.asked("demo_login", "--password", password)
    address = f"{HOST}:{port}"
    children.start("-m", "gunicorn", "--bind", address, "--threads=4", *QUIETLY, "kcx.wsgi")
    children.start("manage.py", "worker")
    say(f"\n== The admin: http://{address}/admin/  login demo, password {password}  (Ctrl-C stops all)")
    deliveries = deliver_on(services)
    while True:
        next_delivery = time.monotonic() + every_seconds
        while time.monotonic() < next_delivery:
            time.sleep(1)
            if ended := children.ended():
                raise RuntimeError(f"ended unexpectedly: {', '.join(ended)}")
        say(next(deliveries))


def _refuse_taken_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
