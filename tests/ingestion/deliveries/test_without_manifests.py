"""Without manifests nothing tells which keys a month still has: what can be told of it, and what mends it."""

from datetime import timedelta

import pyarrow as pa
import pytest
from django.db import connection

from ingestion.models import Export
from kcx.api.exports import cells
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, parquet
from tests.conftest import REPOSITORY
from tests.ingestion.deliveries.test_by_manifest import MARCH, NOON, part, shown

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

CSV, PARQUET = (
    ExportSpec("exports/", "r", Family.CUR_2_0, Mode.OVERWRITE, ending)
    for ending in ("csv.gz", "snappy.parquet")
)
AS_PARQUET = parquet(pa.table({"identity/LineItemId": ["id", "id"], "lineItem/v": ["1", "2"]}))


def told() -> tuple[str, str]:
    """What the coverage calendar and the API say of March."""
    export = Export.objects.get()
    cell = next(cell for cell in cells([export.pk])[export.pk] if cell.period == MARCH)
    return cell.coverage.name, cell.detail


def found_by_the_docs() -> list[str]:
    """The keys that the query of the operations page finds."""
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    query = page.partition("## Without manifests")[2].partition("```sql")[2].partition(";")[0]
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [row[3] for row in cursor.fetchall()]


def in_two_formats(client: ClientUnderTest) -> BillingService:
    """A month in two CSV files, that AWS then wrote as Parquet."""
    service = BillingService(client.account)
    service.write_data(CSV, MARCH, [part("1"), part("2")], at=NOON)
    client.discover()
    Export.objects.update(without_manifests=True)
    client.ingest()
    assert told() == ("COMPLETE", "2 files")
    service.write_data(PARQUET, MARCH, [AS_PARQUET], at=NOON + timedelta(hours=8))
    client.ingest()
    return service


def test_a_month_that_is_current_in_two_formats_is_not_told_as_whole(
    client_under_test: ClientUnderTest,
) -> None:
    in_two_formats(client_under_test)
    assert shown(client_under_test) == ["1", "1", "2", "2"]
    assert told() == ("PARTIAL", "in 2 formats")
    assert len(found_by_the_docs()) == 2
    assert all(key.endswith(".csv.gz") for key in found_by_the_docs())


def test_files_of_a_header_in_place_of_those_that_are_too_many_mend_it(
    client_under_test: ClientUnderTest,
) -> None:
    in_two_formats(client_under_test)
    for key in client_under_test.account.list_keys():
        if key.endswith(".csv.gz"):
            client_under_test.account.put_object(key, part(), at=NOON + timedelta(hours=9))
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]
    assert told() == ("RESTATED", "2 times")
    assert found_by_the_docs() == []


def test_the_manifest_mends_it(client_under_test: ClientUnderTest) -> None:
    service = in_two_formats(client_under_test)
    service.deliver(CSV, MARCH, [part("7")], at=NOON + timedelta(hours=9))
    client_under_test.ingest()
    assert shown(client_under_test) == ["7"]
    assert told()[0] == "RESTATED"


def test_files_that_no_export_of_aws_wrote_may_be_of_several_formats(
    client_under_test: ClientUnderTest,
) -> None:
    folder = "exports/own/2026-03/"
    client_under_test.account.put_object(f"{folder}a.csv.gz", part("1"), at=NOON)
    client_under_test.account.put_object(f"{folder}b.parquet", AS_PARQUET, at=NOON)
    client_under_test.ingest()
    export = Export.objects.get()
    assert {cell.coverage.name for cell in cells([export.pk])[export.pk]} <= {
        "COMPLETE",
        "NOT_YET",
        "MISSING",
    }
    assert len(shown(client_under_test)) == 3
