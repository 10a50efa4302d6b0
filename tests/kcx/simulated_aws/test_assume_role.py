"""AssumeRole over HTTP gives AWS's answers, not moto's."""

import boto3
import pytest
from botocore.exceptions import ClientError

from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.policies import read_policy, trust_policy

KCX_ACCOUNT = "999900001111"
ROOT = f"arn:aws:iam::{KCX_ACCOUNT}:root"


def assume(sts, role_arn, external_id):
    """The assumed role's session ARN, or the error's code."""
    asked = {} if external_id is None else {"ExternalId": external_id}
    try:
        answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="kcx-test", **asked)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return answer["AssumedRoleUser"]["Arn"]


SESSION = "arn:aws:sts::111122223333:assumed-role/kcx-read/kcx-test"


@pytest.mark.parametrize(
    ("trust", "right", "wrong", "missing"),
    [
        (trust_policy(ROOT, "id"), SESSION, "AccessDenied", "AccessDenied"),
        (trust_policy(ROOT, "id", operator="StringLike"), SESSION, "AccessDenied", "AccessDenied"),
        (trust_policy(ROOT, "id", operator="StringEqualsIfExists"), SESSION, "AccessDenied", SESSION),
        (trust_policy(ROOT, None), SESSION, SESSION, SESSION),
        (trust_policy(KCX_ACCOUNT, "id"), SESSION, "AccessDenied", "AccessDenied"),
        (trust_policy(f"arn:aws:iam::{KCX_ACCOUNT}:user/kcx", "id"), SESSION, "AccessDenied", "AccessDenied"),
        (
            trust_policy("arn:aws:iam::123456789012:root", "id"),
            "AccessDenied",
            "AccessDenied",
            "AccessDenied",
        ),
    ],
    ids=["equals", "like", "if-exists", "no-condition", "bare-account", "user", "other-account"],
)
def test_the_trust_policy_decides(sts, acme, trust, right, wrong, missing):
    acme.set_trust(trust)
    assert assume(sts, acme.role_arn, "id") == right
    assert assume(sts, acme.role_arn, "another") == wrong
    assert assume(sts, acme.role_arn, None) == missing


def test_a_refusal_has_the_status_and_the_words_of_aws(sts, acme):
    with pytest.raises(ClientError) as refused:
        sts.assume_role(RoleArn=acme.role_arn, RoleSessionName="kcx-test", ExternalId="another")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert refused.value.response["Error"]["Message"] == (
        "User: arn:aws:iam::999900001111:user/kcx is not authorized to perform: sts:AssumeRole "
        "on resource: arn:aws:iam::111122223333:role/kcx-read"
    )


@pytest.mark.parametrize(
    "role_arn",
    [
        "arn:aws:iam::111122223333:role/no-such-role",
        "arn:aws:iam::555555555555:role/kcx-read",
        "arn:aws-cn:iam::111122223333:role/kcx-read",
        "arn:aws:iam::111122223333:user/kcx-read",
    ],
)
def test_a_role_that_does_not_exist_is_refused(sts, acme, role_arn):
    acme.set_trust(trust_policy(ROOT, None))
    assert assume(sts, role_arn, "id") == "AccessDenied"


def test_trust_does_not_cross_partitions(sts, aws):
    china = ClientAccount("111122223333", "china-billing", region="cn-north-1")
    role_arn = china.put_role(trust_policy(KCX_ACCOUNT, None), read_policy("china-billing", ""))
    assert role_arn == "arn:aws-cn:iam::111122223333:role/kcx-read"
    assert assume(sts, role_arn, "id") == "AccessDenied"


def test_a_role_in_kcxs_own_account_follows_the_same_rules(sts, aws):
    own = ClientAccount(aws.kcx_account_id, "kcx-own", role_name="own")
    own.put_role(trust_policy(ROOT, "id"), read_policy("kcx-own", ""))
    assert assume(sts, own.role_arn, "id") == f"arn:aws:sts::{KCX_ACCOUNT}:assumed-role/own/kcx-test"
    assert assume(sts, own.role_arn, None) == "AccessDenied"


def test_a_session_belongs_to_the_account_of_the_role(aws, sts, acme):
    answer = sts.assume_role(RoleArn=acme.role_arn, RoleSessionName="kcx-test", ExternalId="id-of-acme")
    session = boto3.client(
        "sts",
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=answer["Credentials"]["AccessKeyId"],
        aws_secret_access_key=answer["Credentials"]["SecretAccessKey"],
        aws_session_token=answer["Credentials"]["SessionToken"],
        region_name=acme.region,
    )
    identity = session.get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (acme.account_id, SESSION)
    assert sts.get_caller_identity()["Account"] == aws.kcx_account_id


def test_a_revoked_role_cannot_be_assumed_and_its_sessions_end(sts, s3_as, acme):
    session = s3_as(acme, "id-of-acme")
    acme.delete_role()
    assert assume(sts, acme.role_arn, "id-of-acme") == "AccessDenied"
    with pytest.raises(ClientError, match="AccessDenied"):
        session.list_objects_v2(Bucket=acme.bucket)
