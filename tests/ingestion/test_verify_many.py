"""`verify` of a connection with many deliveries: it reads the receipts of each once, not all for each."""

import pytest
from django.db import connection, transaction

from ingestion.models import Delivery, DeliveryScope, Export
from ingestion.publish import publish
from ingestion.verification.chain import compare_registry
from ingestion.verification.report import Report
from tests.billing.raw_rows import one
from tests.ingestion.registered import MARCH, a_connection, a_delivery, a_scope, an_export, ingested

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("raw_database"),
]
MANY = 60


def receipts_read(export: Export) -> int:
    """By a comparison of the connection, which finds nothing but that no file has a receipt."""
    read = (
        "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
        " WHERE relname = 'ingestion_receipt'"
    )
    report = Report("a connection")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are small
        compare_registry(export.connection, report)
        assert set(report.counts) == {"no_receipt"}, report.told
        return int(str(one(read)[0]))


def test_twice_as_many_keys_cost_twice_as_many_receipts() -> None:
    export = an_export(a_connection())
    counts = []
    for begin in (0, MANY):
        for number in range(begin, begin + MANY):
            scope = DeliveryScope.objects.create(export=export, key=f"{number}", billing_period_start=MARCH)
            assert publish(a_delivery(scope, ingested(export)).pk)
        counts.append(receipts_read(export))
    assert counts[1] < 2.5 * counts[0], counts


def test_twice_as_many_refreshes_of_one_month_cost_twice_as_many_receipts() -> None:
    export = an_export(a_connection())
    scope, counts = a_scope(export), []
    for begin in (0, MANY):
        for number in range(begin, begin + MANY):
            assert publish(a_delivery(scope, ingested(export), minute=number, snapshot=f"{number}").pk)
        counts.append(receipts_read(export))
    assert counts[1] < 2.5 * counts[0], counts


def test_a_key_ends_with_its_whole_billing_period_and_not_with_another_key() -> None:
    export = an_export(a_connection())
    month = a_scope(export)
    for key in ("a", "b"):
        scope = DeliveryScope.objects.create(export=export, key=key, billing_period_start=MARCH)
        publish(a_delivery(scope, ingested(export)).pk)
    receipts_read(export)  # compares: both are current, though a receipt came after the first one's
    publish(a_delivery(month, ingested(export), minute=1).pk)
    assert Delivery.objects.filter(status="SUPERSEDED").count() == 2
    receipts_read(export)
