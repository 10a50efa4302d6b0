"""Whatever AWS delivers, whenever KCX looks: a month shows one whole delivery, never an older one again."""

import random
from collections import defaultdict
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from ingestion import tasks
from ingestion.models import LoadAttempt, SourceFile
from ingestion.pipeline import run
from ingestion.reruns import retry, waiting
from kcx.simulated_aws.deliveries import BillingService, PendingDelivery
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import csv_gz, new_client

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

EXPORTS = [
    ExportSpec("exports/", "new", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz"),
    ExportSpec("exports/", "over", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz"),
]
# Two families, as two exports of the same lines would await a decision.
HEADERS = {
    Family.LEGACY_CUR: "identity/LineItemId,lineItem/UnblendedCost\n",
    Family.FOCUS_1_2: "InvoiceId,BilledCost\n",
}
MONTHS = [date(2026, 2, 1), date(2026, 3, 1)]
Scope = tuple[ExportSpec, date]
Values = tuple[str, ...]

scopes = st.tuples(st.sampled_from(EXPORTS), st.sampled_from(MONTHS))
part_counts = st.integers(1, 3)


class Deliveries(RuleBasedStateMachine):
    """The model: the values of every finished delivery of a month, in order, and the last one seen shown."""

    aws: SimulatedAws

    def __init__(self) -> None:
        super().__init__()
        self.client = new_client(self.aws)
        account = self.client.account
        self.service = BillingService(account, payer_account_id=account.account_id)
        self.now = datetime(2026, 4, 1, tzinfo=UTC)
        self.finished: dict[Scope, list[Values]] = defaultdict(lambda: [()])
        self.half: dict[Scope, tuple[PendingDelivery, Values]] = {}
        self.shown_before: dict[Scope, int] = defaultdict(int)
        self.numbers = iter(range(10**6))

    def later(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now

    def parts(self, export: ExportSpec, count: int) -> tuple[list[bytes], Values]:
        values = [[str(next(self.numbers)) for _ in range(2)] for _ in range(count)]
        head = HEADERS[export.family]
        bodies = [csv_gz(head + "".join(f"id,{value}\n" for value in part)) for part in values]
        return bodies, tuple(value for part in values for value in part)

    @rule(scope=scopes, count=part_counts)
    def deliver(self, scope: Scope, count: int) -> None:
        """A new month, a restatement, or one that shrinks; a half-finished one is given up."""
        bodies, values = self.parts(scope[0], count)
        self.half.pop(scope, None)
        self.service.deliver(*scope, bodies, at=self.later())
        self.finished[scope].append(values)

    @rule(scope=scopes, count=part_counts)
    def half_deliver(self, scope: Scope, count: int) -> None:
        bodies, values = self.parts(scope[0], count)
        self.half[scope] = self.service.write_data(*scope, bodies, at=self.later()), values

    @rule(scope=scopes, count=part_counts)
    def deliver_and_begin_the_next(self, scope: Scope, count: int) -> None:
        """AWS is at it again before KCX has looked: data newer than the manifest beside it."""
        self.deliver(scope, count)
        self.half_deliver(scope, count)

    @rule(scope=scopes)
    def finish_half(self, scope: Scope) -> None:
        if scope in self.half:
            pending, values = self.half.pop(scope)
            self.service.write_manifest(pending, at=self.later())
            self.finished[scope].append(values)

    @rule()
    def discover(self) -> None:
        self.client.discover()

    @rule(seed=st.integers(0, 99))
    def load_one(self, seed: int) -> None:
        if files := waiting(self.client.connection):
            run.load(random.Random(seed).choice(files), "test")

    @rule()
    def crash_inside_copy(self) -> None:
        def die(_rows: int, _bytes: int) -> None:
            raise SystemExit

        if files := waiting(self.client.connection):
            with suppress(SystemExit):  # a file that was replaced fails before there is anything to copy
                run.load(files[0], "test", die)
            tasks.sweep()
            assert not LoadAttempt.objects.filter(outcome=LoadAttempt.Outcome.RUNNING).exists()

    @rule()
    def retry(self) -> None:
        retry(SourceFile.objects.filter(connection=self.client.connection))

    @rule()
    def settle(self) -> None:
        """Left in peace, KCX shows the newest finished delivery of every month."""
        for _ in range(2):
            self.client.discover()
            self.retry()
            self.client.load_all()
        self.client.discover()
        for scope, history in self.finished.items():
            overwriting = scope in self.half and scope[0].mode is Mode.OVERWRITE
            if not overwriting:
                assert self.shown(scope) == sorted(history[-1])

    @invariant()
    def a_month_is_one_whole_delivery_and_never_an_older_one(self) -> None:
        for scope, history in self.finished.items():
            shown = self.shown(scope)
            at = [n for n, values in enumerate(history) if sorted(values) == shown]
            assert at, f"{shown} is no delivery of {scope}"
            assert at[0] >= self.shown_before[scope], "an older delivery came back"
            self.shown_before[scope] = at[0]

    def shown(self, scope: Scope) -> list[str]:
        export, period = scope
        query = """
            SELECT "values"[2] FROM billing_rows_current
            WHERE connection_id = %s AND export = %s AND billing_period = %s
        """
        with connection.cursor() as cursor:
            cursor.execute(query, [self.client.connection.pk, export.name, period])
            return sorted(value for (value,) in cursor.fetchall())


def test_any_sequence_of_deliveries_loads_and_crashes(aws: SimulatedAws, raw_database: None) -> None:
    machine = type("Machine", (Deliveries,), {"aws": aws})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],  # shrinking would take many minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
