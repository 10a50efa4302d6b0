"""What staff see and do; every action is one call into the core."""

from ingestion.admin import (
    audit,
    clients,
    connections,
    deliveries,
    events,
    exports,
    receipts,
    registry,
    staff,
    webhooks,
    workers,
)

__all__ = [
    "audit",
    "clients",
    "connections",
    "deliveries",
    "events",
    "exports",
    "receipts",
    "registry",
    "staff",
    "webhooks",
    "workers",
]
