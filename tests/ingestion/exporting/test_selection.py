"""What is exported of a file, a delivery or a billing period, and what is refused."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.export_errors import NotExportable
from ingestion.exporting.export import export
from ingestion.exporting.writers import Format
from ingestion.models import Delivery, Export, SourceFile
from ingestion.selection import Selection, of_delivery, of_file, of_period
from kcx.simulated_aws.deliveries import BillingService
from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.ingestion.deliveries.test_by_manifest import CREATE_NEW, MARCH, NOON, part

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])


def values(selection: Selection) -> list[str]:
    """The cells of the second column."""
    lines = b"".join(export(selection, Format.CSV)).decode().splitlines()[1:]
    return [line.split(",")[1] for line in lines]


@pytest.fixture
def restated(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """March of one export, delivered twice; the second delivery has three parts."""
    service = BillingService(client_under_test.account)
    service.deliver(CREATE_NEW, MARCH, [part("1"), part("2")], at=NOON)
    client_under_test.ingest()
    service.deliver(
        CREATE_NEW, MARCH, [part("10"), part("20"), part("30", "31")], at=NOON + timedelta(hours=8)
    )
    client_under_test.ingest()
    return client_under_test


def test_a_period_is_its_current_delivery_by_key(restated: ClientUnderTest) -> None:
    export_id = Export.objects.get().pk
    selection = of_period(export_id, MARCH)
    current = Delivery.objects.get(status=Delivery.Status.CURRENT)
    assert selection.delivery_ids == (current.pk,)
    assert selection.connection_id == restated.connection.pk
    assert [file.key for file in selection.files] == sorted(file.key for file in current.files.all())
    assert values(selection) == ["10", "20", "30", "31"]
    assert selection.row_count == 4
    assert values(of_delivery(current.pk)) == ["10", "20", "30", "31"]


def test_a_period_as_of_a_moment_is_what_was_shown_then(restated: ClientUnderTest) -> None:
    export_id = Export.objects.get().pk
    old = Delivery.objects.get(status=Delivery.Status.SUPERSEDED)
    assert old.published_at
    assert old.superseded_at
    assert values(of_period(export_id, MARCH, old.published_at)) == ["1", "2"]
    assert values(of_period(export_id, MARCH, old.superseded_at)) == ["10", "20", "30", "31"]
    assert values(of_delivery(old.pk)) == ["1", "2"]
    with pytest.raises(NotExportable, match="No delivery was current"):
        of_period(export_id, MARCH, old.published_at - timedelta(microseconds=1))


def test_what_is_not_there_is_refused(restated: ClientUnderTest) -> None:
    with pytest.raises(NotExportable, match="No delivery is current"):
        of_period(Export.objects.get().pk, date(2026, 4, 1))
    with pytest.raises(NotExportable, match="There is no export 0"):
        of_period(0, MARCH)
    with pytest.raises(NotExportable, match="There is no delivery 0"):
        of_delivery(0)


def test_a_delivery_that_is_not_loaded_whole_is_refused(client_under_test: ClientUnderTest) -> None:
    ragged = csv_gz("identity/LineItemId,lineItem/v\nragged\n")
    BillingService(client_under_test.account).deliver(CREATE_NEW, MARCH, [part("1"), ragged], at=NOON)
    client_under_test.ingest()
    delivery = Delivery.objects.get()
    with pytest.raises(NotExportable, match="its status is FAILED"):
        of_delivery(delivery.pk)
    missing = delivery.files.exclude(status=SourceFile.Status.INGESTED).get()
    delivery.files.through.objects.filter(source_file=missing).delete()
    with pytest.raises(NotExportable, match="1 of its files are missing"):
        of_delivery(delivery.pk)
    Delivery.objects.update(listed_keys=None)
    with pytest.raises(NotExportable, match="its manifest was not read"):
        of_delivery(delivery.pk)


def test_files_that_disagree_make_one_table(client_under_test: ClientUnderTest) -> None:
    moment = pa.array([datetime(2026, 3, 1, tzinfo=UTC)], pa.timestamp("ms", "UTC"))
    tables = {
        "exports/p/1.parquet": pa.table({"cost": [0.1], "id": [1], "none": pa.nulls(1)}),
        "exports/p/2.parquet": pa.table({"id": [2], "cost": ["free"], "at": moment, "none": ["some"]}),
    }
    for key, table in tables.items():
        client_under_test.account.put_object(key, parquet(table))
    client_under_test.ingest()
    found = [of_file(client_under_test.file(key).pk) for key in tables]
    both = Selection(
        client_under_test.connection.pk, tuple(one.files[0] for one in found), (), "two files of a test"
    )
    data = b"".join(export(both, Format.PARQUET))
    table = pq.read_table(pa.BufferReader(data))
    assert table.schema.equals(
        pa.schema(
            {
                "cost": pa.string(),
                "id": pa.int64(),
                "none": pa.string(),
                "at": pa.timestamp("ms", "UTC"),
            }
        )
    )
    assert table.to_pydict() == {
        "cost": ["0.1", "free"],
        "id": [1, 2],
        "none": [None, "some"],
        "at": [None, datetime(2026, 3, 1, tzinfo=UTC)],
    }
    expected = b"cost,id,none,at\n0.1,1,,\nfree,2,some,2026-03-01 00:00:00.000Z\n"
    assert b"".join(export(both, Format.CSV)) == expected
