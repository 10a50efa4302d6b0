"""Legacy CUR: category/Name columns with the client's tags among them; Parquet has neither NULL nor slash."""

import re
from datetime import date, datetime

import pyarrow as pa

from kcx.simulated_aws.tables.columns import LEGACY_CUR
from kcx.simulated_aws.tables.encode import csv_gz, snappy_parquet
from kcx.simulated_aws.tables.usage import PAYER_ID, REGIONS, UsageLine, month_bounds, usage_lines

DOUBLES = re.compile(r".*(Cost|Amount|Factor|Quantity)")
TIMES = re.compile(r".*/\w+(Start|End)Date")
WORD_START = re.compile(r"(?<=[A-Za-z0-9])(?=[A-Z])")


def legacy_cur_table(period: date, rows: int, seed: int) -> pa.Table:
    """The month as strings, with NULL for every value that is missing."""
    schema = pa.schema([(name, pa.string()) for name in LEGACY_CUR])
    lines = [_bill(period) | _line(line) | _product(line) for line in usage_lines(period, rows, seed)]
    return pa.Table.from_pylist(lines, schema=schema)


def legacy_cur_csv_gz(period: date, rows: int, seed: int) -> bytes:
    return csv_gz(legacy_cur_table(period, rows, seed))


def legacy_cur_parquet_table(period: date, rows: int, seed: int) -> pa.Table:
    """The same month as AWS types it in Parquet: every field required, what is missing '' or 0."""
    table = legacy_cur_table(period, rows, seed)
    fields = [_parquet_field(name) for name in table.column_names]
    columns = [_parquet_column(column, field) for column, field in zip(table.columns, fields, strict=True)]
    return pa.table(columns, schema=pa.schema(fields))


def legacy_cur_parquet(period: date, rows: int, seed: int) -> bytes:
    return snappy_parquet(legacy_cur_parquet_table(period, rows, seed))


def _parquet_field(csv_name: str) -> pa.Field:
    name = re.sub(r"\W+|_+", "_", WORD_START.sub("_", csv_name)).lower()
    if DOUBLES.fullmatch(csv_name):
        return pa.field(name, pa.float64(), nullable=False)
    kind = pa.timestamp("ms", "UTC") if TIMES.fullmatch(csv_name) else pa.string()
    return pa.field(name, kind, nullable=False)


def _parquet_column(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    return column.fill_null("0" if field.type == pa.float64() else "").cast(field.type)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def _bill(period: date) -> dict[str, str]:
    start, end = month_bounds(period)
    return {
        "bill/InvoicingEntity": "Amazon Web Services, Inc.",
        "bill/BillingEntity": "AWS",
        "bill/BillType": "Anniversary",
        "bill/PayerAccountId": PAYER_ID,
        "bill/BillingPeriodStartDate": _time(start),
        "bill/BillingPeriodEndDate": _time(end),
    }


def _line(line: UsageLine) -> dict[str, str | None]:
    return {
        "identity/LineItemId": line.line_item_id,
        "identity/TimeInterval": line.interval,
        "lineItem/UsageAccountId": line.account_id,
        "lineItem/LineItemType": line.kind,
        "lineItem/UsageStartDate": _time(line.start),
        "lineItem/UsageEndDate": _time(line.end),
        "lineItem/ProductCode": line.product.code,
        "lineItem/UsageType": line.product.usage_type,
        "lineItem/Operation": line.product.operation,
        "lineItem/ResourceId": line.resource,
        "lineItem/UsageAmount": str(line.amount),
        "lineItem/CurrencyCode": "USD",
        "lineItem/UnblendedRate": str(line.product.rate),
        "lineItem/UnblendedCost": str(line.cost),
        "lineItem/BlendedCost": str(line.cost),
        "lineItem/LineItemDescription": line.description,
        "lineItem/TaxType": "VAT" if line.kind == "Tax" else None,
        "lineItem/LegalEntity": "Amazon Web Services, Inc.",
    }


def _product(line: UsageLine) -> dict[str, str | None]:
    return {
        "product/ProductName": line.product.name,
        "product/location": REGIONS[line.region],
        "product/productFamily": line.product.family,
        "product/region": line.region,
        "product/servicecode": line.product.code,
        "product/usagetype": line.product.usage_type,
        "pricing/currency": "USD",
        "pricing/publicOnDemandCost": str(line.cost),
        "pricing/publicOnDemandRate": str(line.product.rate),
        "pricing/term": "OnDemand",
        "pricing/unit": line.product.unit,
        **{f"resourceTags/user:{name}": value or None for name, value in line.tags.items()},
    }
