"""HOW data comes in: clients, exports, deliveries, the file registry and its audit."""

from ingestion.models.access import AccessCheck
from ingestion.models.audit import DiscoveryRun, LoadAttempt
from ingestion.models.aws_use import AwsUse
from ingestion.models.client import Client
from ingestion.models.connection import ClientConnection
from ingestion.models.delivery import Delivery, DeliveryFile, DeliveryScope
from ingestion.models.events import Event, WebhookDelivery, WebhookEndpoint, WebhookMessage
from ingestion.models.export import Export, ExportColumn
from ingestion.models.export_view import ClientSchema, ExportView, ExportViewColumn, ExportViewLayout
from ingestion.models.receipt import Receipt, ReceiptChain
from ingestion.models.source_file import SourceFile
from ingestion.models.staff import StaffAction
from ingestion.models.verification import Verification, VerificationRequest
from ingestion.models.worker import Worker

__all__ = [
    "AccessCheck",
    "AwsUse",
    "Client",
    "ClientConnection",
    "ClientSchema",
    "Delivery",
    "DeliveryFile",
    "DeliveryScope",
    "DiscoveryRun",
    "Event",
    "Export",
    "ExportColumn",
    "ExportView",
    "ExportViewColumn",
    "ExportViewLayout",
    "LoadAttempt",
    "Receipt",
    "ReceiptChain",
    "SourceFile",
    "StaffAction",
    "Verification",
    "VerificationRequest",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookMessage",
    "Worker",
]
