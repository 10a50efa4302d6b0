"""An export that was deleted in AWS and made again under its name is what its newest manifest says."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ingestion.models import Delivery, Export
from ingestion.pipeline import run
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
CUR_2 = ExportSpec("exports/", "daily", Family.CUR_2_0, Mode.CREATE_NEW, "csv.gz")
FOCUS = ExportSpec("exports/", "daily", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz")
OTHER = ExportSpec("exports/", "other", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz")
OF_CUR = "identity_line_item_id,line_item_unblended_cost\nid,1\n"
OF_FOCUS = "BilledCost,ChargePeriodStart,SkuMeter\n1,2026-04-01,m\n"
OF_ANY_FOCUS = "BilledCost,ChargePeriodStart,ChargeCategory\n1,2026-04-01,Usage\n"
OF_NONE = "Tags\nx\n"


def deliver(client: ClientUnderTest, export: ExportSpec, month: date, body: str, hour: int = 0) -> None:
    at = NOON + timedelta(hours=hour)
    BillingService(client.account).deliver(export, month, [csv_gz(body)], at=at)


def daily() -> tuple[str, str, str]:
    export = Export.objects.get(name="daily")
    return export.family, export.mode, export.decision


def test_family_and_mode_follow_what_the_export_is_now(client_under_test: ClientUnderTest) -> None:
    deliver(client_under_test, CUR_2, MARCH, OF_CUR)
    client_under_test.ingest()
    assert daily() == ("cur_2_0", "create_new", "LOAD")
    deliver(client_under_test, FOCUS, APRIL, OF_FOCUS, hour=1)
    client_under_test.ingest()
    assert daily() == ("focus_1_2", "overwrite", "LOAD")


@pytest.mark.parametrize(("body", "family"), [(OF_NONE, "cur_2_0"), (OF_ANY_FOCUS, "focus")])
def test_a_family_that_is_known_is_never_unlearned(
    client_under_test: ClientUnderTest, body: str, family: str
) -> None:
    deliver(client_under_test, CUR_2, MARCH, OF_CUR)
    client_under_test.ingest()
    deliver(client_under_test, CUR_2, APRIL, body, hour=1)
    client_under_test.ingest()
    assert daily()[0] == family


def test_a_manifest_of_before_that_is_read_later_changes_nothing(client_under_test: ClientUnderTest) -> None:
    service = BillingService(client_under_test.account)
    for hour in (0, 1):
        service.deliver(CUR_2, MARCH, [csv_gz(OF_CUR)], at=NOON + timedelta(hours=hour))
    client_under_test.ingest()
    deliver(client_under_test, FOCUS, APRIL, OF_FOCUS, hour=2)
    client_under_test.ingest()
    (older,) = Delivery.objects.filter(scope__billing_period_start=MARCH, status="SUPERSEDED")
    assert run.want_older_delivery(older.pk, "Olga")
    assert daily()[:2] == ("focus_1_2", "overwrite")


def test_lines_that_another_holds_await_a_decision_though_the_month_is_not_new(
    client_under_test: ClientUnderTest,
) -> None:
    deliver(client_under_test, CUR_2, APRIL, OF_CUR)
    deliver(client_under_test, OTHER, APRIL, OF_FOCUS)
    client_under_test.ingest()
    assert daily()[2] == "LOAD"
    deliver(client_under_test, FOCUS, APRIL, OF_FOCUS, hour=1)
    client_under_test.ingest()
    assert daily() == ("focus_1_2", "overwrite", "AWAITING")
    assert Export.objects.get(name="daily").overlaps == Export.objects.get(name="other")
    assert Delivery.objects.get(scope__export__name="daily", status="CURRENT").delivered_at == NOON


def test_two_focus_exports_that_tell_no_version_bill_the_same_lines(
    client_under_test: ClientUnderTest,
) -> None:
    deliver(client_under_test, OTHER, APRIL, OF_ANY_FOCUS)
    client_under_test.ingest()
    deliver(client_under_test, FOCUS, APRIL, OF_ANY_FOCUS)
    client_under_test.ingest()
    assert daily() == ("focus", "overwrite", "AWAITING")
