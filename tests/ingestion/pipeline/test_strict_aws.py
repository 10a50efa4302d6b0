"""What AWS refuses by its own rules: KCX names it, stores nothing, and goes on once it is put right."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from billing.models import RawRow
from ingestion.access.check import run_access_check
from ingestion.access.enabling import enable
from ingestion.aws_calls import Calls
from ingestion.errors import AccessDenied
from ingestion.models import ClientConnection, DiscoveryRun, Event, LoadAttempt, SourceFile
from ingestion.onboarding import policies_of
from ingestion.pipeline.assume_role import access_of, s3_client
from ingestion.pipeline.list_files import list_files
from ingestion.pipeline.update_registry import retry_now
from tests.builders import ClientUnderTest
from tests.faulty_s3 import Answer, FaultyAws, Wire, answering, cut

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/a.csv"
ROWS = [[str(number), "x" * 100] for number in range(5000)]
BODY = "\n".join(["n,text", *(",".join(row) for row in ROWS), ""]).encode()
KMS_KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234"


def discovered(client: ClientUnderTest, **more: str) -> ClientUnderTest:
    """The client with one registered file."""
    client.account.put_object(KEY, BODY, **more)
    assert client.discover().outcome == DiscoveryRun.Outcome.SUCCEEDED
    return client


def change(client: ClientUnderTest, **values: str) -> None:
    """Correct the connection, as staff would."""
    ClientConnection.objects.filter(pk=client.connection.pk).update(**values)


def assert_refused(client: ClientUnderTest, code: str, *, tried_again: bool = False) -> LoadAttempt:
    """The load fails until somebody acts, or KCX tries again; nothing of the file is stored."""
    (attempt,) = client.load_all()
    file = client.file(KEY)
    assert (attempt.outcome, attempt.error_code) == (LoadAttempt.Outcome.FAILED, code)
    assert (file.status, file.next_retry_at is not None) == (SourceFile.Status.FAILED, tried_again)
    assert not RawRow.objects.filter(connection_id=client.connection.pk).exists()
    return attempt


def assert_loads(client: ClientUnderTest) -> None:
    """The file loads once it is due."""
    with transaction.atomic():
        retry_now(SourceFile.objects.filter(pk=client.file(KEY).pk))
    assert [attempt.outcome for attempt in client.load_all()] == [LoadAttempt.Outcome.SUCCEEDED]
    assert client.rows(KEY) == ROWS


def test_the_printed_policy_lists_its_prefix_and_no_other(client_under_test: ClientUnderTest) -> None:
    client = discovered(client_under_test)
    access = access_of(client.connection)
    s3 = s3_client(access, Calls("d1"))
    assert [file.key for page in list_files(s3, access, "exports/a") for file in page] == [KEY]
    for other in ("", "export", "private/"):
        with pytest.raises(AccessDenied):
            list(list_files(s3, access, other))


def test_sessions_that_expire_while_a_body_is_read_are_renewed(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    client = discovered(client_under_test)

    def expired(link: Wire, answer: Answer) -> None:
        cut(200_000)(link, answer)
        client.account.expire_sessions()

    wire.script("GetObject", expired)
    assert_loads(client)
    assert len(wire.asked("GetObject")) == 3


@pytest.mark.parametrize("found_by", ["a load", "a discovery"])
def test_a_bucket_of_another_owner_stops_the_connection_until_access_is_verified(
    client_under_test: ClientUnderTest, found_by: str
) -> None:
    client = discovered(client_under_test)
    run_access_check(client.connection.pk, "test")
    change(client, bucket_owner="555566667777")
    if found_by == "a load":
        assert_refused(client, "foreign_bucket", tried_again=True)
    else:
        assert client.discover().error_code == "foreign_bucket"
    connection = ClientConnection.objects.get(pk=client.connection.pk)
    assert not connection.enabled
    assert Event.objects.get().kind == Event.Kind.ACCESS_LOST
    change(client, bucket_owner="")
    connection.refresh_from_db()
    with pytest.raises(ValidationError, match="Verify access first"):
        enable(connection, "Ann")
    assert client.load_all() == []
    run_access_check(client.connection.pk, "test")
    enable(connection, "Ann")
    assert_loads(client)


def test_a_check_that_finds_another_owner_stops_the_connection_too(
    client_under_test: ClientUnderTest, settings: Any
) -> None:
    settings.KCX_IAM_SECONDS = 0
    change(client_under_test, bucket_owner="555566667777")
    run_access_check(client_under_test.connection.pk, "test")
    assert not ClientConnection.objects.get(pk=client_under_test.connection.pk).enabled


def test_a_bucket_that_begins_to_charge_its_readers_is_called_that(
    client_under_test: ClientUnderTest,
) -> None:
    client = discovered(client_under_test)
    client.account.set_requester_pays()
    assert_refused(client, "requester_pays", tried_again=True)
    assert client.discover().error_code == "requester_pays"


def test_a_bucket_in_another_region_is_found_there(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    change(client_under_test, region="us-east-1")
    client = discovered(client_under_test)
    assert_loads(client)
    regions = [request.headers["Authorization"].split("/")[2] for request in wire.asked("GetObject")]
    assert regions == ["us-east-1", "eu-central-1"]


def test_a_redirect_that_leads_nowhere_names_the_region(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    client = discovered(client_under_test)
    wire.ever["GetObject"] = answering(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1")
    attempt = assert_refused(client, "wrong_region", tried_again=True)
    assert "region" in attempt.next_action
    assert len(wire.asked("GetObject")) == 2
    wire.heal()
    assert_loads(client)


def test_an_object_encrypted_with_a_key_of_the_clients_needs_the_key_on_both_sides(
    client_under_test: ClientUnderTest,
) -> None:
    client = discovered(client_under_test, kms_key_arn=KMS_KEY)
    attempt = assert_refused(client, "kms_denied", tried_again=True)
    assert "KMS key" in attempt.next_action
    change(client, kms_key_arn=KMS_KEY)
    client.connection.refresh_from_db()
    trust, permissions = policies_of(client.connection)
    client.account.put_role(trust, permissions)
    assert_loads(client)
