"""Step 1: the client's role, and nothing more than it must allow."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from ingestion.aws_calls import Calls
from ingestion.errors import AccessDenied, AssumeRoleDenied, NoIdentity
from ingestion.pipeline.assume_role import RoleAccess, access_of, request_arguments, s3_client
from kcx.simulated_aws.policies import policy, trust_policy
from tests.builders import ClientUnderTest

ACCESS = RoleAccess(
    connection_id=7,
    role_arn="arn:aws:iam::111122223333:role/kcx-read",
    external_id="e-1",
    region="eu-central-1",
    bucket="acme-billing",
    prefix="exports/",
    owner="111122223333",
)
TWO_ACTIONS = [
    {
        "Effect": "Allow",
        "Action": "s3:ListBucket",
        "Resource": "arn:aws:s3:::acme-billing",
        "Condition": {"StringLike": {"s3:prefix": "exports/*"}},
    },
    {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-billing/exports/*"},
]


def test_the_request_names_kcx_the_connection_and_the_run_and_sends_the_external_id() -> None:
    sent = request_arguments(ACCESS, "a345")
    assert sent["RoleSessionName"] == "kcx-c7-a345"
    assert sent["ExternalId"] == "e-1"
    assert sent["DurationSeconds"] == 3600


def test_the_session_policy_is_two_actions_on_one_bucket_and_prefix() -> None:
    policy = json.loads(str(request_arguments(ACCESS, "d1")["Policy"]))
    assert policy == {"Version": "2012-10-17", "Statement": TWO_ACTIONS}


def test_a_key_of_the_clients_own_adds_decrypt_on_that_key_only() -> None:
    key = "arn:aws:kms:eu-central-1:111122223333:key/1234"
    policy = json.loads(str(request_arguments(replace(ACCESS, kms_key_arn=key), "d1")["Policy"]))
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}
    assert policy["Statement"] == [*TWO_ACTIONS, decrypt]


def test_a_prefix_cannot_widen_the_policy_with_wildcards_of_its_own() -> None:
    policy = json.loads(str(request_arguments(replace(ACCESS, prefix="a*b?c$"), "d1")["Policy"]))
    assert policy["Statement"][1]["Resource"] == "arn:aws:s3:::acme-billing/a${*}b${?}c${$}*"


def test_china_has_its_own_partition() -> None:
    china = replace(ACCESS, role_arn="arn:aws-cn:iam::111122223333:role/kcx-read")
    policy = json.loads(str(request_arguments(china, "d1")["Policy"]))
    assert policy["Statement"][0]["Resource"] == "arn:aws-cn:s3:::acme-billing"


def test_the_longest_policy_fits_into_what_sts_takes() -> None:
    longest = replace(ACCESS, prefix="p" * 700, bucket="b" * 63, kms_key_arn="k" * 150)
    assert len(str(request_arguments(longest, "d1")["Policy"])) <= 2048


@pytest.mark.django_db(transaction=True)
class TestAgainstSts:
    def test_the_role_opens_the_prefix_and_only_that(self, client_under_test: ClientUnderTest) -> None:
        client_under_test.account.put_object("exports/a.csv", b"x")
        client_under_test.account.put_object("other/a.csv", b"x")
        access = access_of(client_under_test.connection)
        s3 = s3_client(access, Calls("d1"))
        assert s3.get_object(Bucket=access.bucket, Key="exports/a.csv")["Body"].read() == b"x"
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.get_object(Bucket=access.bucket, Key="other/a.csv")
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.put_object(Bucket=access.bucket, Key="exports/b.csv", Body=b"x")

    def test_another_external_id_is_refused_with_the_next_step(
        self, client_under_test: ClientUnderTest
    ) -> None:
        root = "arn:aws:iam::999900001111:root"
        client_under_test.account.set_trust(trust_policy(root, "another id"))
        run = client_under_test.discover()
        assert (run.outcome, run.error_code) == ("FAILED", AssumeRoleDenied.code)
        assert "trust policy" in run.next_action

    def test_a_bucket_the_role_may_not_list_is_refused(self, client_under_test: ClientUnderTest) -> None:
        client_under_test.account.delete_role()
        nothing = policy({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::another/*"})
        trust = trust_policy("arn:aws:iam::999900001111:root", client_under_test.connection.external_id)
        client_under_test.account.put_role(trust, nothing)
        assert client_under_test.discover().error_code == AccessDenied.code

    def test_without_an_identity_of_its_own_kcx_says_so(
        self, client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        assert client_under_test.discover().error_code == NoIdentity.code

    def test_credentials_renew_themselves_during_a_long_load(
        self, client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        access = access_of(client_under_test.connection)
        s3 = s3_client(access, Calls("a1"))
        s3.list_objects_v2(Bucket=access.bucket, Prefix=access.prefix)
        credentials = s3._request_signer._credentials
        first = credentials.get_frozen_credentials().access_key
        # No server lets an hour pass: the clock of botocore is set forward.
        later = partial(_minutes_from_now, 58)
        monkeypatch.setattr("botocore.credentials._local_now", later)
        monkeypatch.setattr(credentials, "_time_fetcher", later)
        s3.list_objects_v2(Bucket=access.bucket, Prefix=access.prefix)
        assert credentials.get_frozen_credentials().access_key != first


def _minutes_from_now(minutes: int) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)
