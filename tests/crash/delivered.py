"""What AWS delivers between the crashes, and what must be in the database for it."""

import gzip
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode

Rows = list[list[str | None]]

EXPORTS = {
    "csv.gz": ExportSpec("exports/", "focus", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz"),
    "parquet": ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.CREATE_NEW, "snappy.parquet"),
}
NAMES = {
    "csv.gz": ["InvoiceId", "BilledCost"],
    "parquet": ["line_item_line_item_type", "bill_payer_account_id"],
}
FILLERS = 6
CHARACTERS = 40
# About four batches of 2 MiB.
ROWS_OF_A_PART = (2_000, 28_000)
MONTH = date(2026, 3, 1)


@dataclass(frozen=True)
class Expected:
    """The rows of one delivery: `parts` in the order of their keys."""

    export: str
    parts: tuple[Rows, ...]


class Deliverer:
    """Restates one month of two exports again and again, every time with other rows."""

    def __init__(self, account: ClientAccount, seed: int) -> None:
        self._service = BillingService(account, payer_account_id=account.account_id)
        self._random = random.Random(seed)

    def deliver(self, kind: str, parts: int) -> Expected:
        """A new delivery of the month, of `parts` files of this kind (csv.gz or parquet)."""
        export = EXPORTS[kind]
        rows = [list(self._rows()) for _ in range(parts)]
        encode = _csv_gz if kind == "csv.gz" else _parquet
        names = [*NAMES[kind], *(f"filler_{number}" for number in range(FILLERS))]
        self._service.deliver(export, MONTH, [encode(names, part) for part in rows])
        return Expected(export.name, tuple(rows))

    def _rows(self) -> Iterator[list[str | None]]:
        count = self._random.randint(*ROWS_OF_A_PART)
        text = self._random.randbytes(count * FILLERS * CHARACTERS // 2).hex()
        cells = [text[start : start + CHARACTERS] for start in range(0, len(text), CHARACTERS)]
        for row in range(count):
            fillers: list[str | None] = [*cells[row * FILLERS : (row + 1) * FILLERS]]
            fillers[0] = None if row % 7 == 0 else fillers[0]
            yield ["Usage", str(row), *fillers]


def _table(names: list[str], rows: Rows) -> pa.Table:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return pa.table(columns, names=names)


def _csv_gz(names: list[str], rows: Rows) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(_table(names, rows), sink)
    return gzip.compress(sink.getvalue(), compresslevel=1, mtime=0)


def _parquet(names: list[str], rows: Rows) -> bytes:
    sink = io.BytesIO()
    pq.write_table(_table(names, rows), sink, compression="snappy", row_group_size=8_000)
    return sink.getvalue()
