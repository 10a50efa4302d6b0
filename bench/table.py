"""The table that is measured: a month of a legacy CUR made from a seed, as csv.gz and as Parquet."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench import columns

ROWS_AT_ONCE = 20_000
HOURS = 744
# How many things are charged for: columns that describe them repeat one of so many values.
OFFERS = 400
CONSTANT = {
    "bill/BillingEntity": "AWS",
    "bill/BillType": "Anniversary",
    "bill/InvoicingEntity": "Amazon Web Services, Inc.",
    "bill/PayerAccountId": "210987654321",
    "bill/BillingPeriodStartDate": "2026-01-01T00:00:00Z",
    "bill/BillingPeriodEndDate": "2026-02-01T00:00:00Z",
    "lineItem/CurrencyCode": "USD",
    "lineItem/LegalEntity": "Amazon Web Services, Inc.",
    "pricing/currency": "USD",
}
# The share of rows that have an amount; amounts are doubles in Parquet.
AMOUNTS = {
    "lineItem/UsageAmount": 1.0,
    "lineItem/NormalizationFactor": 0.3,
    "lineItem/NormalizedUsageAmount": 0.3,
    "lineItem/UnblendedCost": 1.0,
    "lineItem/BlendedCost": 1.0,
    "pricing/publicOnDemandCost": 0.9,
    "reservation/EffectiveCost": 0.05,
    "savingsPlan/SavingsPlanEffectiveCost": 0.05,
}
WORDS = """
Compute Instance,Storage,Requests,eu-central-1,General Purpose,Linux/UNIX,BoxUsage:m5.large,3.1 GHz,16 GiB,
Up to 10 Gigabit,Intel Xeon Platinum 8175,EBS Only,Shared,NA,Yes,No,Standard,OnDemand,AWS Region,
EU (Frankfurt),AmazonEC2,RunInstances:0002,TimedStorage-ByteHrs,64-bit,Current Generation
"""


def write_csv_gz(path: Path, rows: int) -> int:
    """Write `rows` rows as RFC 4180 text in one gzip member; answers the bytes of the text."""
    with path.open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as text:
        written = text.write(",".join(columns.ALL).encode() + b"\n")
        for batch in _batches(rows):
            written += text.write(_csv(batch))
    return written


def write_parquet(path: Path, rows: int) -> None:
    """Write the same rows as snappy Parquet, in one row group as AWS does."""
    pq.write_table(pa.Table.from_batches(_batches(rows)), path, compression="snappy")


def _batches(rows: int) -> Iterator[pa.RecordBatch]:
    chance = np.random.default_rng(20260101)
    offers = {name: _offered(name, chance) for name in columns.ALL if _describes_an_offer(name)}
    for start in range(0, rows, ROWS_AT_ONCE):
        yield _batch(min(ROWS_AT_ONCE, rows - start), chance, offers)


def _describes_an_offer(name: str) -> bool:
    return not (name in CONSTANT or name in AMOUNTS or name in _OF_EACH_ROW)


def _offered(name: str, chance: np.random.Generator) -> pa.StringArray:
    """What a column says of each offer. Most columns describe few offers, so most cells are empty."""
    fill = 0.9 if name in columns.LINE_ITEM else 0.6 * chance.random()
    if name in columns.RESERVATION + columns.SAVINGS_PLAN:
        fill = 0.05
    words = WORDS.replace("\n", "").split(",")
    texts = [" ".join(chance.choice(words, chance.integers(1, 3))) for _ in range(OFFERS)]
    return pa.array([text if chance.random() < fill else None for text in texts], pa.string())


def _batch(rows: int, chance: np.random.Generator, offers: dict[str, pa.StringArray]) -> pa.RecordBatch:
    offer, hour = pa.array(chance.integers(0, OFFERS, rows)), chance.integers(0, HOURS, rows)
    made = {name: texts.take(offer) for name, texts in offers.items()}
    made |= {name: pa.array([text] * rows) for name, text in CONSTANT.items()}
    made |= {name: _amounts(rows, share, chance) for name, share in AMOUNTS.items()}
    made |= {name: make(hour, chance) for name, make in _OF_EACH_ROW.items()}
    return pa.RecordBatch.from_pydict({name: made[name] for name in columns.ALL})


def _amounts(rows: int, share: float, chance: np.random.Generator) -> pa.DoubleArray:
    return pa.array(chance.integers(1, 10**9, rows) / 10**8, mask=chance.random(rows) >= share)


def _times(hour: NDArray[np.int64]) -> pa.StringArray:
    moments = np.datetime64("2026-01-01T00", "s") + hour.astype("timedelta64[h]")
    return pc.binary_join_element_wise(pa.array(np.datetime_as_string(moments)), "Z", "")


def _random(length: int, rows: int, chance: np.random.Generator) -> pa.StringArray:
    text = chance.bytes(length * rows // 2).hex()
    return pa.array([text[start : start + length] for start in range(0, length * rows, length)])


def _resource(hour: NDArray[np.int64], chance: np.random.Generator) -> pa.StringArray:
    start = "arn:aws:ec2:eu-central-1:310000000001:instance/i-0"
    named = pc.binary_join_element_wise(start, _random(16, len(hour), chance), "")
    return pc.if_else(pa.array(chance.random(len(hour)) < 0.7), named, None)


_OF_EACH_ROW: dict[str, Callable[[NDArray[np.int64], np.random.Generator], pa.StringArray]] = {
    "identity/LineItemId": lambda hour, chance: _random(52, len(hour), chance),
    "identity/TimeInterval": lambda hour, _: pc.binary_join_element_wise(_times(hour), _times(hour + 1), "/"),
    "lineItem/UsageStartDate": lambda hour, _: _times(hour),
    "lineItem/UsageEndDate": lambda hour, _: _times(hour + 1),
    "lineItem/UsageAccountId": lambda hour, chance: pa.array(
        [str(310_000_000_001 + account) for account in chance.integers(0, 30, len(hour)).tolist()]
    ),
    "lineItem/ResourceId": _resource,
}


def _csv(batch: pa.RecordBatch) -> bytes:
    cells = [_quoted(column.cast(pa.string())) for column in batch.columns]
    lines = pc.binary_join_element_wise(*cells, ",", null_handling="replace", null_replacement="")
    return "".join(f"{line}\n" for line in lines.to_pylist()).encode()


def _quoted(values: pa.StringArray) -> pa.StringArray:
    special = pc.match_substring(values, ",")  # no value holds a quote or a line end
    return pc.if_else(special, pc.binary_join_element_wise('"', values, '"', ""), values)
