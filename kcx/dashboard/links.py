"""Where the dashboard's entries lead: lists and pages of the admin, filtered."""

from datetime import date
from urllib.parse import urlencode

from django.urls import reverse

from ingestion.admin.registry_filters import NO_PERIOD


def connection_page(connection_id: int) -> str:
    """The connection's own page."""
    return reverse("admin:ingestion_clientconnection_home", args=[connection_id])


def export_page(export_id: int) -> str:
    """The export's own page."""
    return reverse("admin:ingestion_export_change", args=[export_id])


def files(**filters: object) -> str:
    """The registry, filtered as its own filters do it: they show what is chosen, and clear it."""
    return _list("sourcefile", filters)


def deliveries(**filters: object) -> str:
    """The deliveries, filtered by their fields."""
    return _list("delivery", filters)


def attempts(**filters: object) -> str:
    """The load attempts, filtered by their fields."""
    return _list("loadattempt", filters)


def exports(**filters: object) -> str:
    """The exports, filtered by their fields."""
    return _list("export", filters)


def verifications(**filters: object) -> str:
    """What was compared, filtered by its fields."""
    return _list("verification", filters)


def webhook_messages(**filters: object) -> str:
    """The messages to webhooks, filtered by their fields."""
    return _list("webhookmessage", filters)


def workers() -> str:
    """The workers and their signs of life."""
    return reverse("admin:ingestion_worker_changelist")


def dashboard(**query: object) -> str:
    """The dashboard, filtered."""
    return f"{reverse('admin:index')}?{urlencode(query)}#connections"


def coverage(**query: object) -> str:
    """The coverage calendar of one connection or client."""
    return f"{reverse('kcx:coverage')}?{urlencode(query)}"


def cell(export_id: int, period: date | None) -> str:
    """The files of one billing period of an export."""
    return files(export=export_id, period=period or NO_PERIOD)


def _list(model: str, filters: dict[str, object]) -> str:
    return f"{reverse(f'admin:ingestion_{model}_changelist')}?{urlencode(filters)}"
