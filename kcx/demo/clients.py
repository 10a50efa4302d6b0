"""The demo's clients, what AWS has delivered to them, and what it delivers next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from kcx.simulated_aws.tables.focus import focus12_csv_gz
from kcx.simulated_aws.tables.legacy import legacy_cur_csv_gz

MONTHS = 4
# AWS restates the running month every eight hours: what KCX finds at first, and what comes while it looks.
FIRST_SEEN = timedelta(hours=16)
RESTATED = (timedelta(hours=8), timedelta(0))  # so long ago
# Nothing of the running month is delivered longer ago; in its first days AWS still restates the one before.
EARLIEST = timedelta(days=2)


@dataclass(frozen=True)
class DemoExport:
    """One export: how a part is made (period, rows, seed), and how many parts its refreshes have in turn.

    `delivered`: how long ago AWS delivered the running month before KCX came. Months are counted back from
    the running one: `missing`, of which nothing was delivered, and `damaged`, whose last part is.
    `is_late`: AWS delivers nothing more of it until the demo serves.
    """

    spec: ExportSpec
    make_part: Callable[[date, int, int], bytes]
    rows_per_part: int
    parts_by_refresh: tuple[int, ...]
    delivered: tuple[timedelta, ...] = (FIRST_SEEN,)
    missing: int | None = None
    damaged: int | None = None
    is_late: bool = False

    def parts(self, period: date, refresh: int) -> list[bytes]:
        """A whole refresh of a month: each has more of the month in it; some have fewer parts."""
        number_of_parts = self.parts_by_refresh[refresh % len(self.parts_by_refresh)]
        rows = self.rows_per_part + 40 * refresh
        return [self.make_part(period, rows, number) for number in range(number_of_parts)]

    def history(self) -> Iterator[tuple[date, list[bytes], datetime]]:
        """Month, parts and time of each delivery before KCX came, in AWS's order."""
        now, (*closed, running) = datetime.now(UTC), last_months(MONTHS)
        for back, period in zip(range(len(closed), 0, -1), closed, strict=True):
            if back != self.missing:
                parts = self.parts(period, 0)
                if back == self.damaged:
                    parts[-1] = _damaged(parts[-1])
                yield period, parts, min(_month_after(period) + timedelta(days=4), now - timedelta(days=3))
        for refresh, ago in enumerate(self.delivered):
            yield running, self.parts(running, refresh), now - ago


@dataclass(frozen=True)
class DemoClient:
    """One client: its account, the exports AWS delivers there, and whether its role is made as KCX asks.

    `own_files`: keys of what the client's people put beside the exports.
    """

    name: str
    account: ClientAccount
    exports: tuple[DemoExport, ...]
    asks_for_external_id: bool = True
    own_files: tuple[str, ...] = ()

    def make_role(self, trust: dict[str, Any], permissions: dict[str, Any]) -> None:
        """The client makes its role of what KCX sent; one leaves the external id out."""
        if not self.asks_for_external_id:
            (statement,) = trust["Statement"]
            del statement["Condition"]
        self.account.put_role(trust, permissions)


LEGACY = ExportSpec("cur/", "hourly", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
CUR_2 = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
FOCUS = ExportSpec("exports/", "focus-1-2", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz")

CLIENTS = (
    DemoClient(
        "Aurora Retail",
        ClientAccount("210000000001", "aurora-billing", "cur/"),
        (
            DemoExport(
                LEGACY,
                legacy_cur_csv_gz,
                2000,
                (2, 2),
                delivered=tuple(timedelta(hours=hours) for hours in (44, 36, 28, 20)),
                is_late=True,
            ),
        ),
    ),
    DemoClient(
        "Borealis Games",
        ClientAccount("210000000002", "borealis-exports", "exports/"),
        (DemoExport(CUR_2, cur2_parquet, 2000, (3, 2)),),
        own_files=("exports/budget.xlsx",),
    ),
    DemoClient(
        "Cumulus Bank",
        ClientAccount("210000000003", "cumulus-finops", "exports/"),
        (
            DemoExport(FOCUS, focus12_csv_gz, 2000, (2, 1), missing=1, damaged=2),
            DemoExport(CUR_2, cur2_parquet, 1500, (1, 2)),
        ),
    ),
    DemoClient(
        "Drizzle Media",
        ClientAccount("210000000004", "drizzle-billing", "exports/"),
        (DemoExport(FOCUS, focus12_csv_gz, 500, (1,)),),
        asks_for_external_id=False,
    ),
)


DAMAGED_FILES = sum(export.damaged is not None for client in CLIENTS for export in client.exports)


def last_months(count: int, now: datetime | None = None) -> list[date]:
    """The first days of the month that AWS restates now and of those before it, oldest first."""
    restated = (now or datetime.now(UTC)) - EARLIEST
    index = restated.year * 12 + restated.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(index - count + 1, index + 1)]


def deliver_history(client: DemoClient) -> BillingService:
    """AWS delivers the client's last months; answers the service that delivers on."""
    service = BillingService(client.account, payer_account_id=client.account.account_id)
    for export in client.exports:
        for period, parts, at in export.history():
            service.deliver(export.spec, period, parts, at=at)
    for key in client.own_files:
        client.account.put_object(key, b"a sheet of the client's own", at=datetime.now(UTC) - FIRST_SEEN)
    return service


def restate(services: dict[DemoClient, BillingService], refresh: int) -> None:
    """AWS restates the running month of each export that is not late: refresh 1 some hours ago, 2 now."""
    at, period = datetime.now(UTC) - RESTATED[refresh - 1], last_months(1)[0]
    for client, service in services.items():
        for export in client.exports:
            if not export.is_late:
                service.deliver(export.spec, period, export.parts(period, refresh), at=at)


def deliver_on(services: dict[DemoClient, BillingService]) -> Iterator[str]:
    """Each `next` restates the running month of one export after the other, late ones last; tells of it."""
    every = [(client, export) for client in services for export in client.exports]
    every.sort(key=lambda one: one[1].is_late)
    for refresh in count(1 + len(RESTATED)):
        for client, export in every:
            period = last_months(1)[0]
            parts = export.parts(period, refresh)
            services[client].deliver(export.spec, period, parts)
            yield f"AWS restated {period:%Y-%m} of {client.name}'s {export.spec.name}: {len(parts)} parts"


def _damaged(part: bytes) -> bytes:
    """A gzip file with a checksum that is not its own."""
    return part[:-8] + bytes(4) + part[-4:]


def _month_after(period: date) -> datetime:
    return (datetime(period.year, period.month, 1, tzinfo=UTC) + timedelta(days=31)).replace(day=1)
