"""A discovery through a wire that breaks: it settles nothing that it did not see, and works later."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from ingestion.access.state import reachable
from ingestion.models import Delivery, DiscoveryRun, SourceFile
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import (
    Fault,
    FaultyAws,
    answering,
    cut,
    drip,
    one_bit_flipped,
    reset_at_once,
    stall,
    untouched,
    without_length,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

NOTHING = b"<?xml version='1.0'?><ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
LOSSES: dict[str, tuple[Fault, str]] = {
    "reset before the answer": (reset_at_once, "aws_unavailable"),
    "reset in the body": (cut(100, reset=True), "aws_unavailable"),
    "FIN in the body": (cut(100), "aws_unavailable"),
    "short body without a length": (without_length(100), "aws_unavailable"),
    "empty answer": (answering(200, body=b""), "aws_unavailable"),
    "listing of no bucket": (answering(200, body=NOTHING), "aws_unavailable"),
    "error of status 200": (answering(200, "InternalError"), "aws_unavailable"),
    "SlowDown": (answering(503, "SlowDown"), "aws_unavailable"),
    "expired token": (answering(400, "ExpiredToken"), "credentials_expired"),
}

# What a GET that never gave a body ends with; all else is resumed first.
REFUSED = {name: LOSSES[name][1] for name in ("reset before the answer", "SlowDown", "expired token")}
NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
EXPORT = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")


def assert_failed(client: ClientUnderTest, code: str) -> None:
    """The run tells the reason, and the file it did not see still waits."""
    run = client.discover()
    assert (run.outcome, run.error_code) == (DiscoveryRun.Outcome.FAILED, code)
    assert client.file("exports/known.csv").status == SourceFile.Status.NEW
    assert SourceFile.objects.filter(connection=client.connection).count() == 1


def assert_finds(client: ClientUnderTest) -> None:
    """A whole listing finds what was there all the time."""
    assert client.discover().outcome == DiscoveryRun.Outcome.SUCCEEDED
    assert client.file("exports/new.csv").status == SourceFile.Status.NEW


@pytest.fixture
def client(client_under_test: ClientUnderTest, wire: FaultyAws) -> ClientUnderTest:
    """A client with one registered file and one that is not registered yet."""
    client_under_test.account.put_object("exports/known.csv", b"a\n1\n")
    client_under_test.discover()
    client_under_test.account.put_object("exports/new.csv", b"a\n1\n")
    return client_under_test


@pytest.mark.parametrize(("fault", "code"), LOSSES.values(), ids=LOSSES)
def test_a_broken_listing_settles_nothing(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, code: str, at_once: None
) -> None:
    wire.ever["ListObjectsV2"] = fault
    asked_before = len(wire.asked("ListObjectsV2"))
    assert_failed(client, code)
    assert len(wire.asked("ListObjectsV2")) - asked_before <= 6
    wire.heal()
    assert_finds(client)


@pytest.fixture
def delivered(client_under_test: ClientUnderTest, wire: FaultyAws) -> ClientUnderTest:
    """A client with a delivery that was not discovered yet."""
    part = csv_gz("identity/LineItemId,lineItem/v\nid,1\n")
    BillingService(client_under_test.account).deliver(EXPORT, date(2026, 3, 1), [part], at=NOON)
    return client_under_test


def assert_enters_nothing(client: ClientUnderTest, code: str) -> None:
    """The run tells the reason, and no delivery is made of what came."""
    run = client.discover()
    assert (run.outcome, run.error_code) == (DiscoveryRun.Outcome.FAILED, code)
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("fault", LOSSES)
def test_a_manifest_that_does_not_arrive_whole_makes_no_delivery(
    delivered: ClientUnderTest, wire: FaultyAws, fault: str, at_once: None
) -> None:
    wire.ever["GetObject"] = LOSSES[fault][0]
    assert_enters_nothing(delivered, REFUSED.get(fault, "stream_broken"))
    wire.heal()
    delivered.ingest()
    assert Delivery.objects.get().status == Delivery.Status.CURRENT


def test_a_resumed_manifest_is_compared_with_s3s_checksum(
    delivered: ClientUnderTest, wire: FaultyAws, at_once: None
) -> None:
    wire.script("GetObject", cut(100), one_bit_flipped)
    delivered.discover()
    held = Delivery.objects.get()
    assert (held.status, held.listed_keys) == (Delivery.Status.INCOMPLETE, None)
    assert "is tried again by each discovery" in held.reason
    assert "The bytes received have the CRC64NVME" in held.reason
    wire.heal()
    delivered.ingest()
    assert Delivery.objects.get().status == Delivery.Status.CURRENT


@pytest.mark.parametrize("operation", ["ListObjectsV2", "AssumeRole"])
@pytest.mark.parametrize("fault", [stall(), stall(100), drip(0.01)], ids=["silence", "stall", "drip"])
def test_a_slow_aws_holds_a_discovery_for_a_bounded_time(
    client: ClientUnderTest, wire: FaultyAws, operation: str, fault: Fault, settings: Any
) -> None:
    wire.ever[operation] = fault
    settings.KCX_AWS_SECONDS = 1
    assert_failed(client, "too_slow")
    settings.KCX_AWS_SECONDS = 180
    wire.heal()
    assert_finds(client)


@pytest.mark.parametrize(
    ("status", "answer", "code"),
    [
        (403, "RegionDisabledException", "session_refused"),
        (400, "PackedPolicyTooLarge", "session_refused"),
        (400, "MalformedPolicyDocument", "session_refused"),
        (400, "Throttling", "aws_unavailable"),
    ],
)
def test_what_sts_refuses_is_told_from_an_outage(
    client: ClientUnderTest, wire: FaultyAws, status: int, answer: str, code: str, at_once: None
) -> None:
    told = f"<ErrorResponse><Error><Code>{answer}</Code><Message>m</Message></Error></ErrorResponse>"
    wire.ever["AssumeRole"] = answering(status, body=told.encode())
    assert_failed(client, code)
    (attempt,) = client.load_all()
    assert (attempt.error_code, client.file("exports/known.csv").next_retry_at is None) == (code, False)
    assert reachable().exists() == (code == "aws_unavailable")
    wire.heal()
    assert_finds(client)


def test_a_session_that_ends_between_two_pages_is_renewed(client: ClientUnderTest, wire: FaultyAws) -> None:
    for number in range(1000):
        client.account.put_object(f"exports/{number:04}.csv", b"a\n1\n")
    wire.requests.clear()
    wire.script("ListObjectsV2", untouched, answering(400, "ExpiredToken"))
    run = client.discover()
    assert (run.outcome, run.listed) == (DiscoveryRun.Outcome.SUCCEEDED, 1002)
    first, refused, second = (sent.headers["X-Amz-Security-Token"] for sent in wire.asked("ListObjectsV2"))
    assert first == refused != second
    assert len(wire.asked("AssumeRole")) == 2
