"""A manifest that cannot be read holds back its own month, and no other."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ingestion.access.state import reachable
from ingestion.models import Delivery, DiscoveryRun, Event
from kcx.simulated_aws.deliveries import BillingService, DeliveredSnapshot
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, answering
from tests.refusing_s3 import refusing

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

OVERWRITE = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
CREATE_NEW = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
DENIED = ("AccessDenied", "Access Denied")
EXPIRED = ("ExpiredToken", "The provided token has expired.")


def deliver(client: ClientUnderTest, month: int, export: ExportSpec = OVERWRITE) -> DeliveredSnapshot:
    """A month of one line; the earlier a month, the earlier its manifest is read."""
    parts = [csv_gz(f"identity/LineItemId,lineItem/v\nid,{month}\n")]
    at = NOON + timedelta(minutes=month)
    return BillingService(client.account, seed=month).deliver(export, date(2026, month, 1), parts, at=at)


def months() -> dict[int, str]:
    """What KCX holds of each month's delivery."""
    found = Delivery.objects.values_list("scope__billing_period_start", "status")
    return {month.month: status for month, status in found}


def reason(month: int) -> str:
    return Delivery.objects.get(scope__billing_period_start=date(2026, month, 1)).reason


def assert_discovery_succeeds(client: ClientUnderTest) -> None:
    """And loads go on, and nobody is told that access was lost."""
    assert client.discover().outcome == DiscoveryRun.Outcome.SUCCEEDED
    assert client.connection in reachable()
    client.load_all()
    assert not Event.objects.filter(kind=Event.Kind.ACCESS_LOST).exists()


@pytest.mark.parametrize("export", [OVERWRITE, CREATE_NEW], ids=["overwrite", "create-new"])
def test_an_archived_manifest_holds_its_month_back_until_it_is_restored(
    client_under_test: ClientUnderTest, export: ExportSpec
) -> None:
    archived = deliver(client_under_test, 2, export).manifest_keys
    deliver(client_under_test, 3, export)
    for key in archived:
        client_under_test.account.set_storage_class(key, "GLACIER")
    for _ in range(2):
        assert_discovery_succeeds(client_under_test)
        assert months() == {2: "INCOMPLETE", 3: "CURRENT"}
    assert reason(2).endswith(
        f"{archived[-1]} is in the storage class GLACIER, and the client must restore it."
    )
    held = Delivery.objects.get(status="INCOMPLETE")
    for key in archived:
        client_under_test.account.restore(key)
    assert_discovery_succeeds(client_under_test)
    held.refresh_from_db()
    assert (held.status, held.reason) == ("CURRENT", "")
    assert Delivery.objects.count() == 2


@pytest.mark.parametrize(
    "refusal", [DENIED, ("KMS.DisabledException", "The key is disabled.")], ids=["denied", "key disabled"]
)
def test_a_manifest_that_is_refused_alone_holds_its_month_back_until_it_is_not(
    client_under_test: ClientUnderTest, refusal: tuple[str, str]
) -> None:
    (refused,) = deliver(client_under_test, 2).manifest_keys
    deliver(client_under_test, 3)
    with refusing({refused: refusal}):
        for _ in range(2):  # beside another manifest, then beside files that are loaded
            assert_discovery_succeeds(client_under_test)
            assert months() == {2: "INCOMPLETE", 3: "CURRENT"}
    assert refusal[1] in reason(2)
    assert_discovery_succeeds(client_under_test)
    assert months() == {2: "CURRENT", 3: "CURRENT"}


def test_where_every_manifest_is_refused_and_nothing_else_can_be_read_access_is_lost(
    client_under_test: ClientUnderTest,
) -> None:
    refused = [key for month in (2, 3) for key in deliver(client_under_test, month).manifest_keys]
    with refusing(dict.fromkeys(refused, DENIED)):
        run = client_under_test.discover()
    assert (run.outcome, run.error_code) == (DiscoveryRun.Outcome.FAILED, "access_denied")
    assert Event.objects.filter(kind=Event.Kind.ACCESS_LOST).count() == 1
    assert months() == {}
    assert client_under_test.discover().outcome == DiscoveryRun.Outcome.SUCCEEDED


def test_a_manifest_that_fails_for_now_is_told_after_the_others_are_read(
    client_under_test: ClientUnderTest,
) -> None:
    (broken,) = deliver(client_under_test, 2).manifest_keys
    deliver(client_under_test, 3)
    with refusing({broken: EXPIRED}):
        run = client_under_test.discover()
    assert (run.outcome, run.error_code) == (DiscoveryRun.Outcome.FAILED, "credentials_expired")
    client_under_test.load_all()
    assert months() == {3: "CURRENT"}
    assert_discovery_succeeds(client_under_test)
    assert months() == {2: "CURRENT", 3: "CURRENT"}


def test_an_outage_ends_the_discovery_without_asking_for_every_manifest(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    for month in range(1, 6):
        deliver(client_under_test, month)
    wire.ever["GetObject"] = answering(400, "ExpiredToken")
    assert client_under_test.discover().error_code == "credentials_expired"
    assert len({request.target for request in wire.asked("GetObject")}) == 3


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [(403, "RequestTimeTooSkewed", "clock_skew"), (404, "NoSuchBucket", "no_such_bucket")],
)
def test_what_is_wrong_with_the_connection_ends_the_discovery_at_the_first_manifest(
    client_under_test: ClientUnderTest, wire: FaultyAws, at_once: None, status: int, answer: str, code: str
) -> None:
    for month in (1, 2, 3):
        deliver(client_under_test, month)
    wire.ever["GetObject"] = answering(status, answer)
    assert client_under_test.discover().error_code == code
    assert len({request.target for request in wire.asked("GetObject")}) == 1
