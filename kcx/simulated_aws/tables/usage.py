"""What an invented organisation used in a month: the one story that every family's table tells."""

import base64
import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np

PAYER_ID, PAYER_NAME = "210987654321", "Nordlicht Holding"
REGIONS = {
    "eu-central-1": "EU (Frankfurt)",
    "eu-west-1": "EU (Ireland)",
    "us-east-1": "US East (N. Virginia)",
}
LINKED_ACCOUNTS = {
    "310000000001": "platform",
    "310000000002": 'shop "new", prod',
    "310000000003": "Forschung & Entwicklung",
}
TAGS: tuple[dict[str, str], ...] = (
    {"team": "web", "env": "prod"},
    {"team": "data"},
    {"team": 'Müller, "Süd"', "env": ""},
    {},
)


class Product(NamedTuple):
    """One thing AWS charges for, with its list price."""

    code: str
    name: str
    family: str
    usage_type: str
    operation: str
    unit: str
    rate: Decimal
    category: str
    arn: str


PRODUCTS = (
    Product(
        "AmazonEC2",
        "Amazon Elastic Compute Cloud",
        "Compute Instance",
        "BoxUsage:m5.large",
        "RunInstances",
        "Hrs",
        Decimal("0.1150000000"),
        "Compute",
        "ec2:{region}:{account}:instance/i-{token}",
    ),
    Product(
        "AmazonS3",
        "Amazon Simple Storage Service",
        "Storage",
        "TimedStorage-ByteHrs",
        "StandardStorage",
        "GB-Mo",
        Decimal("0.0245000000"),
        "Storage",
        "s3:::logs-{token}",
    ),
    Product(
        "AWSQueueService",
        "Amazon Simple Queue Service",
        "API Request",
        "Requests-Tier1",
        "SendMessage",
        "Requests",
        Decimal("4E-7"),
        "Integration",
        "sqs:{region}:{account}:orders-{token}",
    ),
    Product(
        "AmazonRDS",
        "Amazon Relational Database Service",
        "Database Instance",
        "InstanceUsage:db.t4g.medium",
        "CreateDBInstance:0014",
        "Hrs",
        Decimal("0.0730000000"),
        "Databases",
        "rds:{region}:{account}:db:db-{token}",
    ),
)


@dataclass(frozen=True)
class UsageLine:
    """One hour of one resource, or (tax) a whole month of one product."""

    line_item_id: str
    kind: str
    start: datetime
    end: datetime
    account_id: str
    region: str
    product: Product
    resource: str | None
    amount: Decimal
    tags: dict[str, str]

    @property
    def cost(self) -> Decimal:
        """In US dollars with ten places; a small one prints with an exponent, as in AWS's CSV."""
        return (self.amount * self.product.rate).quantize(Decimal("1E-10"))

    @property
    def account_name(self) -> str:
        return LINKED_ACCOUNTS[self.account_id]

    @property
    def interval(self) -> str:
        return f"{self.start:%Y-%m-%dT%H:%M:%SZ}/{self.end:%Y-%m-%dT%H:%M:%SZ}"

    @property
    def description(self) -> str:
        if self.kind == "Tax":
            return f"Tax for product code {self.product.code}"
        return f"${self.product.rate:f} per {self.product.unit}, {self.product.usage_type} in {self.region}"


def month_bounds(period: date) -> tuple[datetime, datetime]:
    """The first instant of the month that `period` is in, and the first after it, in UTC."""
    start = datetime(period.year, period.month, 1, tzinfo=UTC)
    return start, start + timedelta(days=calendar.monthrange(period.year, period.month)[1])


def usage_lines(period: date, rows: int, seed: int) -> Iterator[UsageLine]:
    """`rows` lines of the month; fewer rows of the same seed are the first of them. Every eighth is tax."""
    chance = np.random.default_rng([seed, period.year, period.month])
    start, end = month_bounds(period)
    hours = int((end - start) / timedelta(hours=1))
    for number in range(rows):
        at = start + timedelta(hours=int(chance.integers(hours)))
        is_tax = number % 8 == 7
        account = list(LINKED_ACCOUNTS)[chance.integers(len(LINKED_ACCOUNTS))]
        region = list(REGIONS)[chance.integers(len(REGIONS))]
        product = PRODUCTS[chance.integers(len(PRODUCTS))]
        arn = product.arn.format(region=region, account=account, token=chance.bytes(8).hex())
        yield UsageLine(
            line_item_id=base64.b32encode(chance.bytes(32)).decode().rstrip("=").lower(),
            kind="Tax" if is_tax else "Usage",
            start=start if is_tax else at,
            end=end if is_tax else at + timedelta(hours=1),
            account_id=account,
            region=region,
            product=product,
            resource=None if is_tax else f"arn:aws:{arn}",
            amount=Decimal(1 if is_tax else int(chance.integers(1, 10**6))).scaleb(0 if is_tax else -4),
            tags={} if is_tax else TAGS[chance.integers(len(TAGS))],
        )
