"""What is registered of each billing period of an export: its files, and its deliveries."""

from dataclasses import dataclass
from datetime import date

from django.db import connection
from django.db.models import Case, Count, Exists, Min, OuterRef, Q, Value, When

from ingestion.layouts.keys import KeyLayout
from ingestion.models import Delivery, DeliveryFile
from ingestion.publish import LIVE

# Of each file: is it held by a delivery that counts (NULL: by none at all)?
FILES = """
SELECT f.export_id, f.billing_period_start, count(*), count(*) FILTER (WHERE counts),
       count(*) FILTER (WHERE counts AND f.status = 'NEW'),
       count(*) FILTER (WHERE counts AND f.status = 'FAILED')
FROM ingestion_sourcefile f
LEFT JOIN (
    SELECT h.source_file_id, bool_or(d.status = ANY(%(live)s)) AS live
    FROM ingestion_deliveryscope s JOIN ingestion_delivery d ON d.scope_id = s.id
    JOIN ingestion_deliveryfile h ON h.delivery_id = d.id
    WHERE s.export_id = ANY(%(exports)s) GROUP BY 1
) held ON held.source_file_id = f.id,
LATERAL (SELECT coalesce(live, f.status <> 'SKIPPED') AS counts) c
WHERE f.export_id = ANY(%(exports)s) GROUP BY 1, 2
"""
Key = tuple[int, date | None]
# Of a delivery of one key. AWS writes all files of a period in one format.
FORMAT = Case(
    *(When(scope__key__endswith=ending, then=Value(ending)) for ending in (".parquet", ".gz", ".zip")),
    default=Value(""),
)


@dataclass(frozen=True, slots=True)
class Found:
    """Files and deliveries of one billing period of an export.

    `registered` counts every file version, superseded and skipped ones too; `files`, and of these `new` and
    `failed`, those of deliveries that are current or open, and those that wait for one. `published` counts
    deliveries that were ever current. `by_key`: files come without manifests; `formats` counts the formats of
    those of an AWS layout that are current and have rows.
    """

    registered: int = 0
    files: int = 0
    new: int = 0
    failed: int = 0
    current: int = 0
    open: int = 0
    published: int = 0
    formats: int = 0
    by_key: bool = False


def found_of(exports: list[int]) -> dict[Key, Found]:
    """Of the exports with these ids, by export and period; None is what belongs to no period."""
    held, delivered = _files(exports), _deliveries(exports)
    return {
        key: Found(*(held.get(key, (0, 0, 0, 0)) + delivered.get(key, (0, 0, 0, 0, False))))
        for key in held.keys() | delivered.keys()
    }


def _files(exports: list[int]) -> dict[Key, tuple[int, int, int, int]]:
    if not exports:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(FILES, {"exports": exports, "live": [str(status) for status in LIVE]})
        return {(export, period): (*numbers,) for export, period, *numbers in cursor.fetchall()}


def _deliveries(exports: list[int]) -> dict[Key, tuple[int, int, int, int, bool]]:
    status = Delivery.Status
    of_a_key = Q(status=status.CURRENT) & ~Q(scope__key="") & ~Q(scope__export__key_layout=KeyLayout.GENERIC)
    has_rows = Q(Exists(DeliveryFile.objects.filter(delivery=OuterRef("pk"), source_file__row_count__gt=0)))
    counted = (
        Delivery.objects.filter(scope__export__in=exports)
        .order_by()
        .values_list("scope__export", "scope__billing_period_start")
        .annotate(
            current=Count("pk", filter=Q(status=status.CURRENT)),
            open=Count("pk", filter=Q(status__in=[status.PENDING, status.INCOMPLETE])),
            published=Count("pk", filter=Q(published_at__isnull=False)),
            formats=Count(FORMAT, distinct=True, filter=of_a_key & has_rows),
            key=Min("scope__key"),
        )
    )
    return {
        (export, period): (current, still_open, published, formats, bool(key))
        for export, period, current, still_open, published, formats, key in counted
    }
