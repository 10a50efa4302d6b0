"""The demo's clients, what AWS has delivered to them, and what it delivers next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from kcx.simulated_aws.tables.focus import focus12_csv_gz
from kcx.simulated_aws.tables.legacy import legacy_cur_csv_gz

MONTHS = 3
PARTS = 2


@dataclass(frozen=True)
class DemoClient:
    """One client: its account, its export, and how a part of it is made (period, rows, seed)."""

    name: str
    account: ClientAccount
    export: ExportSpec
    make_part: Callable[[date, int, int], bytes]
    rows_per_part: int

    def part(self, period: date, number: int, refresh: int) -> bytes:
        """Part `number` of a month's refresh: each refresh has more of the month in it."""
        return self.make_part(period, self.rows_per_part + 40 * refresh, number)


CLIENTS = (
    DemoClient(
        "Aurora Retail",
        ClientAccount("210000000001", "aurora-billing", "cur/"),
        ExportSpec("cur/", "hourly", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz"),
        legacy_cur_csv_gz,
        4000,
    ),
    DemoClient(
        "Borealis Games",
        ClientAccount("210000000002", "borealis-exports", "exports/"),
        ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet"),
        cur2_parquet,
        3000,
    ),
    DemoClient(
        "Cumulus Bank",
        ClientAccount("210000000003", "cumulus-finops", "focus/"),
        ExportSpec("focus/", "focus-1-2", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz"),
        focus12_csv_gz,
        3000,
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
    for period in last_months(MONTHS):
        service.deliver(client.export, period, [client.part(period, number, 0) for number in range(PARTS)])
    return service


def deliver_on(services: dict[DemoClient, BillingService]) -> Iterator[str]:
    """Each `next` is a new delivery of the running month to one client after the other; tells of it."""
    refresh = 0
    while True:
        refresh += 1
        for client, service in services.items():
            period = last_months(1)[0]
            parts = [client.part(period, number, refresh) for number in range(PARTS)]
            service.deliver(client.export, period, parts)
            yield f"AWS delivered {period:%Y-%m} of {client.export.name} to {client.name}"
