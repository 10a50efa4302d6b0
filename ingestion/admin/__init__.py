"""What staff see and do; every action is one call into the core."""

from ingestion.admin import audit, clients, deliveries, exports, receipts, registry, staff, workers

__all__ = ["audit", "clients", "deliveries", "exports", "receipts", "registry", "staff", "workers"]
