"""The demo's clients, what AWS has delivered to them, and what it delivers next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from kcx.simulated_aws.tables.focus import focus12_csv_gz
from kcx.simulated_aws.tables.legacy import legacy_cur_csv_gz

MONTHS = 3


@dataclass(frozen=True)
class DemoExport:
    """One export: how a part is made (period, rows, seed), and how many parts its refreshes have in turn."""

    spec: ExportSpec
    make_part: Callable[[date, int, int], bytes]
    rows_per_part: int
    parts_by_refresh: tuple[int, ...]

    def parts(self, period: date, refresh: int) -> list[bytes]:
        """A whole refresh of a month: each has more of the month in it; some have fewer parts."""
        number_of_parts = self.parts_by_refresh[refresh % len(self.parts_by_refresh)]
        rows = self.rows_per_part + 40 * refresh
        return [self.make_part(period, rows, number) for number in range(number_of_parts)]


@dataclass(frozen=True)
class DemoClient:
    """One client: its account, the exports AWS delivers there, and whether its role is made as KCX asks."""

    name: str
    account: ClientAccount
    exports: tuple[DemoExport, ...]
    asks_for_external_id: bool = True

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
        (DemoExport(LEGACY, legacy_cur_csv_gz, 4000, (2, 2)),),
    ),
    DemoClient(
        "Borealis Games",
        ClientAccount("210000000002", "borealis-exports", "exports/"),
        (DemoExport(CUR_2, cur2_parquet, 2000, (3, 2)),),
    ),
    DemoClient(
        "Cumulus Bank",
        ClientAccount("210000000003", "cumulus-finops", "exports/"),
        (
            DemoExport(FOCUS, focus12_csv_gz, 3000, (2, 1)),
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


def last_months(count: int) -> list[date]:
    """The first days of this month and of those before it, oldest first."""
    today = datetime.now(UTC).date().replace(day=1)
    index = today.year * 12 + today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(index - count + 1, index + 1)]


def deliver_history(client: DemoClient) -> BillingService:
    """AWS delivers the client's last months; answers the service that delivers on."""
    service = BillingService(client.account, payer_account_id=client.account.account_id)
    for export in client.exports:
        for period in last_months(MONTHS):
            service.deliver(export.spec, period, export.parts(period, 0))
    return service


def deliver_on(services: dict[DemoClient, BillingService]) -> Iterator[str]:
    """Each `next` restates the running month of one export after the other; tells of it."""
    for refresh in count(1):
        for client, service in services.items():
            for export in client.exports:
                period = last_months(1)[0]
                parts = export.parts(period, refresh)
                service.deliver(export.spec, period, parts)
                yield f"AWS restated {period:%Y-%m} of {client.name}'s {export.spec.name}: {len(parts)} parts"
