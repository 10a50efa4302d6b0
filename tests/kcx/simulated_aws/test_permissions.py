"""Conditions, the end of a session, regions and keys: what AWS enforces of a role's session."""

import json

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ingestion.policies import permission_policy
from kcx.simulated_aws.permissions import permits
from kcx.simulated_aws.policies import policy, trust_policy

ROOT = "arn:aws:iam::999900001111:root"
KEY_ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234"
BUCKET = "arn:aws:s3:::acme-billing"


def refusal(operation, **arguments):
    """The code of the error that the operation must end in."""
    with pytest.raises(ClientError) as refused:
        operation(**arguments)
    return refused.value.response["Error"]["Code"]


def statement(effect="Allow", action="s3:ListBucket", resource=BUCKET, **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def under(prefix):
    return {"StringLike": {"s3:prefix": prefix}}


@pytest.mark.parametrize(
    ("statements", "context", "permitted"),
    [
        ([statement()], {}, True),
        ([statement(action="S3:List*")], {}, True),
        ([statement(action=["s3:GetObject", "s3:ListBucket"])], {}, True),
        ([statement(action="s3:GetObject")], {}, False),
        ([statement(resource=f"{BUCKET}/*")], {}, False),
        ([statement(), statement("Deny")], {}, False),
        ([{"Effect": "Allow", "NotAction": "s3:GetObject", "NotResource": "arn:aws:s3:::b"}], {}, True),
        ([{"Effect": "Allow", "NotAction": "s3:List*", "NotResource": "arn:aws:s3:::b"}], {}, False),
        ([statement(Condition=under("a/*"))], {"s3:prefix": "a/b"}, True),
        ([statement(Condition=under("a/*"))], {"s3:prefix": "b/"}, False),
        ([statement(Condition=under("a/*"))], {"s3:prefix": ""}, False),
        ([statement(Condition=under("a/*"))], {}, False),
        ([statement(Condition=under("a/*")), statement(Condition=under("b/*"))], {"s3:prefix": "b/"}, True),
        ([statement(Condition=under("${*}/*"))], {"s3:prefix": "*/b"}, True),
        ([statement(Condition=under("${*}/*"))], {"s3:prefix": "a/b"}, False),
        ([], {}, False),
    ],
)
def test_a_statement_counts_where_all_of_it_holds(statements, context, permitted):
    assert permits([policy(*statements)], "s3:ListBucket", BUCKET, context) is permitted


@pytest.mark.parametrize("prefix", ["cost/", "cost/*odd?/", "cost//é 1/", "$/"])
def test_a_prefix_condition_opens_the_prefix_and_no_other(s3_as, acme, prefix):
    acme.put_object(f"{prefix}a.csv", b"1")
    acme.put_role(trust_policy(ROOT, "id"), permission_policy("aws", acme.bucket, prefix))
    s3 = s3_as(acme, "id")
    for longer in (prefix, f"{prefix}a"):
        (found,) = s3.list_objects_v2(Bucket=acme.bucket, Prefix=longer)["Contents"]
        assert found["Key"] == f"{prefix}a.csv"
    assert s3.get_object(Bucket=acme.bucket, Key=f"{prefix}a.csv")["ETag"]
    for other in ("", "cos", "private/", prefix[:-1]):
        assert refusal(s3.list_objects_v2, Bucket=acme.bucket, Prefix=other) == "AccessDenied"
    assert refusal(s3.list_objects_v2, Bucket=acme.bucket) == "AccessDenied"


def test_the_prefix_condition_of_a_session_policy_narrows_the_role(s3_as, acme):
    s3 = s3_as(acme, "id-of-acme", Policy=json.dumps(permission_policy("aws", acme.bucket, "cost/in/")))
    assert s3.list_objects_v2(Bucket=acme.bucket, Prefix="cost/in/")["KeyCount"] == 0
    assert refusal(s3.list_objects_v2, Bucket=acme.bucket, Prefix="cost/") == "AccessDenied"


def test_an_expired_session_is_refused_and_a_new_one_is_not(s3_as, acme):
    old = s3_as(acme, "id-of-acme")
    old.list_objects_v2(Bucket=acme.bucket)
    acme.expire_sessions()
    assert refusal(old.list_objects_v2, Bucket=acme.bucket) == "ExpiredToken"
    assert s3_as(acme, "id-of-acme").list_objects_v2(Bucket=acme.bucket)["KeyCount"] == 0


@pytest.mark.parametrize("signed_for", ["eu-central-1", "us-east-1"])
def test_a_bucket_answers_in_its_own_region_only(aws, sts, acme, signed_for):
    acme.put_object("cost/a", b"1")
    granted = sts.assume_role(RoleArn=acme.role_arn, RoleSessionName="test", ExternalId="id-of-acme")
    s3 = boto3.client(
        "s3",
        endpoint_url=aws.endpoint_url,
        aws_access_key_id=granted["Credentials"]["AccessKeyId"],
        aws_secret_access_key=granted["Credentials"]["SecretAccessKey"],
        aws_session_token=granted["Credentials"]["SessionToken"],
        region_name=signed_for,
        config=Config(retries={"total_max_attempts": 1}),
    )
    statuses = []
    s3.meta.events.register("before-parse.s3", lambda response_dict, **_: statuses.append(response_dict))
    assert s3.get_object(Bucket=acme.bucket, Key="cost/a")["Body"].read() == b"1"
    codes = [answer["status_code"] for answer in statuses]
    assert codes == ([200] if signed_for == acme.region else [301, 200])
    if len(statuses) == 2:
        assert statuses[0]["headers"]["x-amz-bucket-region"] == acme.region


def test_an_encrypted_object_needs_decrypt_on_its_key(s3_as, acme):
    acme.put_object("cost/a", b"1", kms_key_arn=KEY_ARN)
    with pytest.raises(ClientError) as refused:
        s3_as(acme, "id-of-acme").get_object(Bucket=acme.bucket, Key="cost/a")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert f"kms:Decrypt on resource: {KEY_ARN}" in str(refused.value)
    acme.put_role(trust_policy(ROOT, "id-of-acme"), permission_policy("aws", acme.bucket, "cost/", KEY_ARN))
    assert s3_as(acme, "id-of-acme").get_object(Bucket=acme.bucket, Key="cost/a")["Body"].read() == b"1"


def test_a_bucket_of_which_the_requester_pays_refuses_who_does_not_say_so(acme, s3_as):
    acme.put_object("cost/a.csv", b"x")
    acme.set_requester_pays()
    s3 = s3_as(acme, "id-of-acme")
    for call, more in (s3.list_objects_v2, {"Prefix": "cost/"}), (s3.get_object, {"Key": "cost/a.csv"}):
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            call(Bucket=acme.bucket, **more)
        assert call(Bucket=acme.bucket, **more, RequestPayer="requester")


def test_what_a_buckets_policy_denies_no_role_may_do(acme, s3_as):
    acme.put_object("cost/a.csv", b"x")
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/cost/*"}
    acme.set_bucket_policy(policy(deny))
    s3 = s3_as(acme, "id-of-acme")
    assert s3.list_objects_v2(Bucket=acme.bucket, Prefix="cost/")["KeyCount"] == 1
    with pytest.raises(s3.exceptions.ClientError, match="explicit deny in a resource-based policy"):
        s3.get_object(Bucket=acme.bucket, Key="cost/a.csv")


def test_a_refused_head_still_tells_the_buckets_region(acme, beta, s3_as):
    s3 = s3_as(beta, "id-of-beta")
    with pytest.raises(s3.exceptions.ClientError, match="403") as caught:
        s3.head_bucket(Bucket=acme.bucket)
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-bucket-region"] == acme.region
