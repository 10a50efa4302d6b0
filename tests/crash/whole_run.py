"""One run of the crash test, from an empty database to the table."""

import argparse
import itertools
import sys
import time
from pathlib import Path

from django.core.management import call_command

from ingestion.verification.verify import verify_connection
from kcx.embedded.server import stop
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import new_client
from tests.crash import truth
from tests.crash.cases import cases
from tests.crash.cluster import kill_before_attempt, kill_in_cluster, restart_beneath_cluster
from tests.crash.delivered import Deliverer
from tests.crash.harness import PROCESSES, Found, Harness
from tests.crash.proxy import CuttableProxy
from tests.crash.report import report


def whole_run(aws: SimulatedAws, proxy: CuttableProxy, database: Path, arguments: argparse.Namespace) -> int:
    """Crash as often as asked; prints each fault found, then the table. Answers the exit status."""
    PROCESSES.set_forkserver_preload(["tests.crash.victim"])
    started = time.monotonic()
    try:
        call_command("migrate", verbosity=0)
        client = new_client(aws)
        deliverer = Deliverer(client.account, arguments.seed)
        found = _crash(Harness(client.connection.pk, deliverer, proxy, database), arguments)
        in_cluster = kill_in_cluster(client.connection.pk, deliverer, arguments.cluster_kills, arguments.seed)
        if arguments.cluster_kills:
            in_cluster.append(kill_before_attempt(client.connection.pk, deliverer))
            in_cluster.append(restart_beneath_cluster(client.connection.pk, deliverer, database))
        miscounted = list(truth.miscounted(client.connection.pk))
        compared = list(verify_connection(client.connection.pk, "crash test"))
    finally:
        stop(database)
    sys.stdout.write(report(found, in_cluster, time.monotonic() - started, arguments.seed) + "\n")
    for fault in [fault for one in in_cluster for fault in one.faults]:
        sys.stdout.write(f"in a real cluster: {fault}\n")
    different = [f"{one.subject}: {fault}" for one in compared for fault in [*one.told, *one.not_compared]]
    sys.stdout.write(f"verify compared {len(compared)} things at the end; {len(different)} differ.\n")
    sys.stdout.writelines(f"{fault}\n" for fault in [*different, *miscounted])
    return int(bool(different or miscounted) or any(one.faults for one in [*found, *in_cluster]))


def _crash(harness: Harness, arguments: argparse.Namespace) -> list[Found]:
    found: list[Found] = []
    rounds = (cases(arguments.seed + number) for number in itertools.count())
    for case in itertools.chain.from_iterable(rounds):
        if sum(one.reached for one in found) >= arguments.kills:
            break
        found.append(harness.run(case))
        for fault in found[-1].faults:
            sys.stdout.write(f"{case}: {fault}\n")
            sys.stdout.flush()
    return found
