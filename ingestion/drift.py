"""The schema drift ledger: which columns an export has delivered, and since when."""

from typing import Any

from django.db import connection

from ingestion.models import Delivery, Export, ExportColumn

# In the order of the names, so that two deliveries of one export never wait for each other in a circle.
NOTE = """
INSERT INTO ingestion_exportcolumn (export_id, name, first_seen_at, last_seen_at, first_period, last_period)
SELECT DISTINCT
    %(export)s, name, %(seen)s::timestamptz, %(seen)s::timestamptz, %(period)s::date, %(period)s::date
FROM ingestion_deliveryfile held
    JOIN ingestion_sourcefile file ON file.id = held.source_file_id
    JOIN billing_columnlayout layout ON layout.id = file.layout_id
    CROSS JOIN LATERAL unnest(layout.names) AS name
WHERE held.delivery_id = %(delivery)s
ORDER BY name
ON CONFLICT (export_id, name) DO UPDATE SET
    first_seen_at = least(ingestion_exportcolumn.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(ingestion_exportcolumn.last_seen_at, excluded.last_seen_at),
    first_period = least(ingestion_exportcolumn.first_period, excluded.first_period),
    last_period = greatest(ingestion_exportcolumn.last_period, excluded.last_period)
"""


def note_columns(delivery: Delivery) -> None:
    """Enter the columns of a delivery's files. In the publishing transaction."""
    values: dict[str, Any] = {
        "export": delivery.scope.export_id,
        "seen": delivery.delivered_at,
        "period": delivery.scope.billing_period_start,
        "delivery": delivery.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(NOTE, values)


def names_that_differ_by_case(export: Export) -> list[list[str]]:
    """Groups of this export's column names that are one name to a reader who folds case."""
    groups: dict[str, list[str]] = {}
    for name in ExportColumn.objects.filter(export=export).order_by("name").values_list("name", flat=True):
        groups.setdefault(name.lower(), []).append(name)
    return [names for names in groups.values() if len(names) > 1]
