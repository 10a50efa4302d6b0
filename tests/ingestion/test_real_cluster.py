"""A real qcluster: what is queued is discovered, loaded and published without anybody's help."""

import signal
from datetime import date

import pytest

from ingestion.models import Delivery, SourceFile
from ingestion.queueing import queue_due_discoveries
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from tests.builders import ClientUnderTest
from tests.processes import manage
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

EXPORT = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")


def test_a_due_connection_is_discovered_loaded_and_published(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    months = [date(2026, 1, 1), date(2026, 2, 1)]
    for month in months:
        service.deliver(EXPORT, month, [cur2_parquet(month, 50, 1), cur2_parquet(month, 50, 2)])
    assert queue_due_discoveries() == 1

    with manage("qcluster") as cluster:
        until(
            lambda: Delivery.objects.filter(status="CURRENT").count() == len(months),
            "both months are current",
        )
        cluster.send_signal(signal.SIGTERM)
        assert cluster.wait(timeout=60) == 0

    assert set(SourceFile.objects.values_list("status", "row_count")) == {("INGESTED", 50)}
