"""CUR 2.0: AWS's published columns in snake case, with maps where legacy CUR had a column per key."""

import re
from datetime import date
from typing import Any

import pyarrow as pa

from kcx.simulated_aws.tables.columns import CUR_2_0
from kcx.simulated_aws.tables.encode import snappy_parquet
from kcx.simulated_aws.tables.usage import (
    PAYER_ID,
    PAYER_NAME,
    REGIONS,
    UsageLine,
    month_bounds,
    usage_lines,
)

STRING_MAPS = frozenset({"cost_category", "product", "resource_tags", "tags"})
TIMES = re.compile(r".*_(billing_period|usage)_(start|end)_date")
DOUBLES = re.compile(
    r"(line_item|pricing)_.*_(cost|amount|factor)|discount_.*"
    r"|(reservation|savings_plan)_.*(cost|fee|commitment|value|quantity|rate).*"
)


def _type_of(name: str) -> pa.DataType:
    if name in STRING_MAPS:
        return pa.map_(pa.string(), pa.string())
    if name == "discount":
        return pa.map_(pa.string(), pa.float64())
    if TIMES.fullmatch(name):
        return pa.timestamp("ms", "UTC")
    return pa.float64() if DOUBLES.fullmatch(name) else pa.string()


SCHEMA = pa.schema([(name, _type_of(name)) for name in CUR_2_0])


def cur2_table(period: date, rows: int, seed: int) -> pa.Table:
    """The month with AWS's types: maps, timestamps, doubles; every field may be NULL."""
    bill = _bill(period)
    lines = [bill | _line(line) | _product(line) for line in usage_lines(period, rows, seed)]
    return pa.Table.from_pylist(lines, schema=SCHEMA)


def cur2_parquet(period: date, rows: int, seed: int) -> bytes:
    return snappy_parquet(cur2_table(period, rows, seed))


def _bill(period: date) -> dict[str, Any]:
    start, end = month_bounds(period)
    return {
        "bill_bill_type": "Anniversary",
        "bill_billing_entity": "AWS",
        "bill_billing_period_start_date": start,
        "bill_billing_period_end_date": end,
        "bill_invoicing_entity": "Amazon Web Services, Inc.",
        "bill_payer_account_id": PAYER_ID,
        "bill_payer_account_name": PAYER_NAME,
    }


def _line(line: UsageLine) -> dict[str, Any]:
    return {
        "cost_category": [],
        "identity_line_item_id": line.line_item_id,
        "identity_time_interval": line.interval,
        "line_item_currency_code": "USD",
        "line_item_legal_entity": "Amazon Web Services, Inc.",
        "line_item_line_item_description": line.description,
        "line_item_line_item_type": line.kind,
        "line_item_operation": line.product.operation,
        "line_item_product_code": line.product.code,
        "line_item_resource_id": line.resource,
        "line_item_unblended_cost": float(line.cost),
        "line_item_unblended_rate": str(line.product.rate),
        "line_item_usage_account_id": line.account_id,
        "line_item_usage_account_name": line.account_name,
        "line_item_usage_amount": float(line.amount),
        "line_item_usage_end_date": line.end,
        "line_item_usage_start_date": line.start,
        "line_item_usage_type": line.product.usage_type,
        "resource_tags": [(f"user_{name}", value) for name, value in line.tags.items()],
    }


def _product(line: UsageLine) -> dict[str, Any]:
    is_tax = line.kind == "Tax"
    return {
        "discount": None if is_tax else [("bundled", 0.0), ("total", float(-line.cost / 20))],
        "pricing_currency": "USD",
        "pricing_public_on_demand_cost": None if is_tax else float(line.cost),
        "pricing_term": None if is_tax else "OnDemand",
        "pricing_unit": line.product.unit,
        "product": [("product_name", line.product.name), ("region", line.region)],
        "product_location": REGIONS[line.region],
        "product_product_family": line.product.family,
        "product_region_code": line.region,
        "product_servicecode": line.product.code,
        "product_usagetype": line.product.usage_type,
    }
