"""FOCUS 1.2 with AWS columns: sixty of them, tags as JSON text, NULL and the empty string both in use."""

import json
from datetime import date, datetime

import pyarrow as pa

from kcx.simulated_aws.tables.columns import FOCUS_1_2
from kcx.simulated_aws.tables.encode import csv_gz
from kcx.simulated_aws.tables.usage import (
    PAYER_ID,
    PAYER_NAME,
    REGIONS,
    UsageLine,
    month_bounds,
    usage_lines,
)


def focus12_table(period: date, rows: int, seed: int) -> pa.Table:
    """The month as strings: maps are JSON objects in one field."""
    schema = pa.schema([(name, pa.string()) for name in FOCUS_1_2])
    bill = _bill(period)
    lines = [bill | _charge(line) | _prices(line) | _where(line) for line in usage_lines(period, rows, seed)]
    return pa.Table.from_pylist(lines, schema=schema)


def focus12_csv_gz(period: date, rows: int, seed: int) -> bytes:
    return csv_gz(focus12_table(period, rows, seed))


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def _bill(period: date) -> dict[str, str]:
    start, end = month_bounds(period)
    return {
        "BillingAccountId": PAYER_ID,
        "BillingAccountName": PAYER_NAME,
        "BillingAccountType": "Management Account",
        "BillingCurrency": "USD",
        "BillingPeriodStart": _time(start),
        "BillingPeriodEnd": _time(end),
        "InvoiceIssuerName": "Amazon Web Services, Inc.",
        "ProviderName": "AWS",
        "PublisherName": "AWS",
    }


def _charge(line: UsageLine) -> dict[str, str | None]:
    return {
        "ChargeCategory": line.kind,
        "ChargeDescription": line.description,
        "ChargeFrequency": "Usage-Based" if line.resource else "Recurring",
        "ChargePeriodStart": _time(line.start),
        "ChargePeriodEnd": _time(line.end),
        "ConsumedQuantity": str(line.amount) if line.resource else None,
        "ConsumedUnit": line.product.unit if line.resource else None,
        "SkuMeter": line.product.usage_type if line.resource else "",
        "x_Discounts": "{}",
        "x_Operation": line.product.operation if line.resource else "",
        "x_ServiceCode": line.product.code,
    }


def _prices(line: UsageLine) -> dict[str, str | None]:
    cost, rate = str(line.cost), str(line.product.rate)
    return {
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        **dict.fromkeys(("ContractedUnitPrice", "ListUnitPrice"), rate if line.resource else None),
        "PricingCategory": "Standard",
        "PricingQuantity": str(line.amount),
        "PricingUnit": line.product.unit,
    }


def _where(line: UsageLine) -> dict[str, str | None]:
    return {
        "RegionId": line.region,
        "RegionName": REGIONS[line.region],
        "ResourceId": line.resource,
        "ServiceCategory": line.product.category,
        "ServiceName": line.product.name,
        "SubAccountId": line.account_id,
        "SubAccountName": line.account_name,
        "SubAccountType": "Member Account",
        "Tags": json.dumps(line.tags, ensure_ascii=False) if line.resource else None,
    }
