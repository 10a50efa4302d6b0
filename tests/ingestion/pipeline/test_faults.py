"""A load through a wire that breaks: it fails for now, stores nothing, and loads when the wire is whole."""

import base64
import gzip
import random
from typing import Any

import pytest
from django.db import transaction

from billing.models import RawRow
from ingestion.models import LoadAttempt, SourceFile
from ingestion.pipeline import run
from ingestion.pipeline.update_registry import retry_now
from tests.builders import ClientUnderTest
from tests.faulty_s3 import (
    Answer,
    Fault,
    FaultyAws,
    Wire,
    answering,
    cut,
    drip,
    one_bit_flipped,
    reset_at_once,
    stall,
    with_headers,
    without_length,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/a.csv"
DIGITS = random.Random(1)
ROWS = [[str(number), str(DIGITS.random())] for number in range(20_000)]
BODY = "\n".join(["n,random", *(",".join(row) for row in ROWS), ""]).encode()

WRONG_CRC32 = with_headers(
    x_amz_checksum_crc64nvme=None, x_amz_checksum_crc32=base64.b64encode(bytes(4)).decode()
)
LOSSES: dict[str, tuple[Fault, str]] = {
    "reset before the answer": (reset_at_once, "aws_unavailable"),
    "reset in the body": (cut(1000, reset=True), "stream_broken"),
    "FIN before the body": (cut(0), "stream_broken"),
    "FIN in the body": (cut(1000), "stream_broken"),
    "short body without a length": (without_length(1000), "stream_broken"),
    "error of status 200": (answering(200, "InternalError"), "stream_broken"),
    "other bytes of the same length": (answering(200, body=b"x" * len(BODY)), "stream_broken"),
    "another ETag": (with_headers(ETag='"another"'), "stream_broken"),
    "wrong CRC32": (WRONG_CRC32, "checksum_mismatch"),
    "wrong CRC64NVME": (one_bit_flipped, "checksum_mismatch"),
    "SlowDown": (answering(503, "SlowDown"), "aws_unavailable"),
    "expired token": (answering(400, "ExpiredToken"), "credentials_expired"),
}
HEAD_FAULTS: dict[str, Fault] = {
    "reset": reset_at_once,
    "500": answering(500, body=b""),
    "SlowDown": answering(503, body=b""),
}
DELAYS: dict[str, Fault] = {
    "silence before the answer": stall(),
    "silence in the body": stall(200_000),
    "slow drip": drip(0.01),
}


@pytest.fixture
def client(client_under_test: ClientUnderTest, wire: FaultyAws) -> ClientUnderTest:
    """A client with one registered file."""
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.discover()
    return client_under_test


def load(client: ClientUnderTest) -> LoadAttempt:
    """Load the one file."""
    attempt = run.load(client.file(KEY).pk, "test")
    assert attempt is not None
    return attempt


def assert_failed_for_now(client: ClientUnderTest, code: str) -> None:
    """The file waits for another try, its reason is told, and nothing of it is stored."""
    attempt = load(client)
    file = client.file(KEY)
    assert (attempt.outcome, attempt.error_code) == (LoadAttempt.Outcome.FAILED, code)
    assert (file.status, file.error_code) == (SourceFile.Status.FAILED, code)
    assert file.next_retry_at is not None
    assert not RawRow.objects.filter(connection_id=client.connection.pk).exists()


def retry_at_once(client: ClientUnderTest) -> None:
    """Make the one file due, if it failed."""
    with transaction.atomic():
        retry_now(SourceFile.objects.filter(pk=client.file(KEY).pk))


def assert_loads(client: ClientUnderTest) -> None:
    """A try that is due loads every row."""
    retry_at_once(client)
    assert load(client).outcome == LoadAttempt.Outcome.SUCCEEDED
    assert client.rows(KEY) == ROWS


@pytest.mark.parametrize(("fault", "code"), LOSSES.values(), ids=LOSSES)
def test_a_fault_that_lasts_fails_the_load_for_now(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, code: str, at_once: None
) -> None:
    wire.ever["GetObject"] = fault
    assert_failed_for_now(client, code)
    assert len(wire.asked("GetObject")) <= 6
    wire.heal()
    assert_loads(client)


@pytest.mark.parametrize("fault", DELAYS.values(), ids=DELAYS)
def test_a_slow_s3_holds_a_load_for_a_bounded_time(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, settings: Any
) -> None:
    wire.ever["GetObject"] = fault
    settings.KCX_AWS_SECONDS = 1
    assert_failed_for_now(client, "too_slow")
    settings.KCX_AWS_SECONDS = 180
    wire.heal()
    assert_loads(client)


def test_a_steady_body_below_the_least_rate_is_given_up(
    client: ClientUnderTest, wire: FaultyAws, settings: Any
) -> None:
    settings.KCX_AWS_SECONDS = 0.5
    settings.KCX_MIN_BYTES_PER_SECOND = 10**9
    wire.ever["GetObject"] = drip(0.00001)
    assert_failed_for_now(client, "too_slow")


@pytest.mark.parametrize("fault", [stall(), drip(0.01)], ids=["silence", "drip"])
def test_a_slow_sts_holds_a_load_for_a_bounded_time(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, settings: Any
) -> None:
    wire.ever["AssumeRole"] = fault
    settings.KCX_AWS_SECONDS = 1
    assert_failed_for_now(client, "too_slow")
    assert wire.asked("GetObject") == []
    settings.KCX_AWS_SECONDS = 180
    wire.heal()
    assert_loads(client)


@pytest.mark.parametrize(
    "fault", [pytest.param(LOSSES[name][0], id=name) for name in LOSSES if "CRC" not in name]
)
def test_a_fault_that_passes_is_not_even_noticed(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, at_once: None
) -> None:
    wire.script("GetObject", fault)
    assert_loads(client)
    first, *more = wire.asked("GetObject")
    assert more
    assert all(request.headers["If-Match"] == first.headers["If-Match"] for request in more)


def test_a_file_that_is_cut_is_looked_at_twice_whatever_failed_before(
    client: ClientUnderTest, wire: FaultyAws, at_once: None
) -> None:
    client.account.put_object(KEY, gzip.compress(BODY)[:-5])
    client.discover()
    wire.ever["GetObject"] = answering(503, "SlowDown")
    assert_failed_for_now(client, "aws_unavailable")
    wire.heal()
    retry_at_once(client)
    assert_failed_for_now(client, "corrupt_gzip")
    retry_at_once(client)
    assert load(client).error_code == "corrupt_gzip"
    assert client.file(KEY).next_retry_at is None


def test_a_file_overwritten_during_the_load_is_never_mixed(client: ClientUnderTest, wire: FaultyAws) -> None:
    old = client.file(KEY)

    def overwritten(link: Wire, answer: Answer) -> None:
        cut(200_000)(link, answer)
        client.account.put_object(KEY, b"n,random\n1,2\n")

    wire.script("GetObject", overwritten)
    assert_failed_for_now(client, "object_changed")
    client.discover()
    assert load(client).outcome == LoadAttempt.Outcome.SUCCEEDED
    assert client.rows(KEY) == [["1", "2"]]
    old.refresh_from_db()
    assert (old.status, old.skip_reason) == ("SKIPPED", SourceFile.SkipReason.REPLACED)


def test_a_session_that_ends_during_the_load_is_renewed_once(
    client: ClientUnderTest, wire: FaultyAws
) -> None:
    expired = answering(400, "ExpiredToken")
    wire.script("GetObject", cut(200_000), expired)
    assert_loads(client)
    cut_off, refused, resumed = wire.asked("GetObject")
    assert refused.headers["Range"] == resumed.headers["Range"] != cut_off.headers.get("Range")
    assert refused.headers["X-Amz-Security-Token"] != resumed.headers["X-Amz-Security-Token"]


@pytest.mark.parametrize("fault", HEAD_FAULTS.values(), ids=HEAD_FAULTS)
def test_a_fault_of_the_head_behind_a_resumed_read_that_passes_does_not_cost_the_load(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, at_once: None
) -> None:
    wire.script("GetObject", cut(200_000))
    wire.script("HeadObject", fault)
    assert_loads(client)
    refused, *more = wire.asked("HeadObject")
    assert more
    assert {request.headers["If-Match"] for request in (refused, more[-1])} == {client.file(KEY).etag}


def test_the_session_is_renewed_where_the_head_may_have_been_refused_as_expired(
    client: ClientUnderTest, wire: FaultyAws
) -> None:
    expired = answering(400, body=b"")
    wire.script("GetObject", cut(200_000))
    wire.script("HeadObject", expired, expired)  # botocore asks for the bucket, too: is it in another region?
    assert_loads(client)
    refused, *_, renewed = wire.asked("HeadObject")
    assert refused.headers["X-Amz-Security-Token"] != renewed.headers["X-Amz-Security-Token"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (reset_at_once, "aws_unavailable"),
        (answering(500, body=b""), "aws_unavailable"),
        (stall(), "too_slow"),
    ],
    ids=["reset", "500", "stall"],
)
def test_a_fault_of_the_head_that_lasts_fails_the_load_for_now(
    client: ClientUnderTest, wire: FaultyAws, fault: Fault, code: str, at_once: None, settings: Any
) -> None:
    wire.script("GetObject", cut(200_000))
    wire.ever["HeadObject"] = fault
    settings.KCX_AWS_SECONDS = 3
    assert_failed_for_now(client, code)
    settings.KCX_AWS_SECONDS = 180
    wire.heal()
    assert_loads(client)


def test_a_second_expired_token_is_not_answered_with_a_third_try(
    client: ClientUnderTest, wire: FaultyAws
) -> None:
    asked_before = len(wire.asked("AssumeRole"))
    wire.ever["GetObject"] = answering(400, "ExpiredToken")
    assert_failed_for_now(client, "credentials_expired")
    assert len(wire.asked("GetObject")) == 2
    assert len(wire.asked("AssumeRole")) - asked_before == 2
