"""What a client's role may do in its own bucket, and that it may do nothing in another's."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from kcx.simulated_aws.policies import read_policy, trust_policy


def refusal(operation, **arguments):
    """The code of the error that the operation must end in."""
    with pytest.raises(ClientError) as refused:
        operation(**arguments)
    return refused.value.response["Error"]["Code"]


def test_the_role_lists_its_bucket_and_reads_under_its_prefix(s3_as, acme):
    etag = acme.put_object("cost/a.csv", b"x,y\n", at=datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))
    s3 = s3_as(acme, "id-of-acme")
    (listed,) = s3.list_objects_v2(Bucket=acme.bucket, Prefix="cost/")["Contents"]
    assert (listed["Key"], listed["ETag"], listed["Size"]) == ("cost/a.csv", etag, 4)
    assert listed["LastModified"] == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert s3.get_object(Bucket=acme.bucket, Key="cost/a.csv", IfMatch=etag)["Body"].read() == b"x,y\n"
    assert s3.head_object(Bucket=acme.bucket, Key="cost/a.csv")["ETag"] == etag
    assert s3.head_bucket(Bucket=acme.bucket)["BucketRegion"] == "eu-central-1"


def test_a_key_outside_the_prefix_cannot_be_read(s3_as, acme):
    acme.put_object("private/salaries.csv", b"1")
    acme.put_object("costs", b"1")
    s3 = s3_as(acme, "id-of-acme")
    assert refusal(s3.get_object, Bucket=acme.bucket, Key="private/salaries.csv") == "AccessDenied"
    assert refusal(s3.get_object, Bucket=acme.bucket, Key="costs") == "AccessDenied"


def test_the_role_can_neither_write_nor_delete(s3_as, acme):
    acme.put_object("cost/a.csv", b"1")
    s3 = s3_as(acme, "id-of-acme")
    assert refusal(s3.put_object, Bucket=acme.bucket, Key="cost/a.csv", Body=b"2") == "AccessDenied"
    assert refusal(s3.delete_object, Bucket=acme.bucket, Key="cost/a.csv") == "AccessDenied"
    assert acme.read_object("cost/a.csv") == b"1"


def test_one_clients_role_reaches_nothing_of_another_client(s3_as, acme, beta):
    beta.put_object("b.csv", b"1")
    s3 = s3_as(acme, "id-of-acme")
    assert refusal(s3.list_objects_v2, Bucket=beta.bucket) == "AccessDenied"
    assert refusal(s3.get_object, Bucket=beta.bucket, Key="b.csv") == "AccessDenied"


def test_a_policy_that_names_another_accounts_bucket_does_not_open_it(s3_as, acme, beta):
    beta.put_object("b.csv", b"1")
    acme.put_role(trust_policy("999900001111", "id-of-acme"), read_policy(beta.bucket, ""))
    s3 = s3_as(acme, "id-of-acme")
    assert refusal(s3.get_object, Bucket=beta.bucket, Key="b.csv") == "AccessDenied"


def test_kcxs_own_identity_reads_no_bucket(kcx_client, acme):
    assert refusal(kcx_client("s3").list_objects_v2, Bucket=acme.bucket) == "AccessDenied"


def test_a_session_policy_narrows_what_the_role_may_do(s3_as, acme):
    acme.put_object("cost/in/a", b"1")
    acme.put_object("cost/out/b", b"2")
    s3 = s3_as(acme, "id-of-acme", Policy=json.dumps(read_policy(acme.bucket, "cost/in/")))
    assert s3.get_object(Bucket=acme.bucket, Key="cost/in/a")["Body"].read() == b"1"
    assert refusal(s3.get_object, Bucket=acme.bucket, Key="cost/out/b") == "AccessDenied"


def test_the_wrong_expected_owner_is_refused(s3_as, acme):
    acme.put_object("cost/a", b"1")
    s3 = s3_as(acme, "id-of-acme")
    right, wrong = acme.account_id, "444455556666"
    assert s3.get_object(Bucket=acme.bucket, Key="cost/a", ExpectedBucketOwner=right)["ETag"]
    assert (
        refusal(s3.get_object, Bucket=acme.bucket, Key="cost/a", ExpectedBucketOwner=wrong) == "AccessDenied"
    )
    assert refusal(s3.list_objects_v2, Bucket=acme.bucket, ExpectedBucketOwner=wrong) == "AccessDenied"


@pytest.mark.parametrize("key", ["/koku/a b.csv", "cost//e/é漢 1:2+%41?.csv", "..", "folder/"])
def test_odd_keys_come_back_as_they_are(s3_as, beta, key):
    beta.put_object(key, b"1")
    s3 = s3_as(beta, "id-of-beta")
    assert [found["Key"] for found in s3.list_objects_v2(Bucket=beta.bucket)["Contents"]] == [key]
    assert s3.get_object(Bucket=beta.bucket, Key=key)["Body"].read() == b"1"


def test_an_archived_object_is_listed_with_its_class_and_cannot_be_read(s3_as, acme):
    etag = acme.put_object("cost/a", b"1")
    acme.set_storage_class("cost/a", "DEEP_ARCHIVE")
    s3 = s3_as(acme, "id-of-acme")
    (listed,) = s3.list_objects_v2(Bucket=acme.bucket)["Contents"]
    assert (listed["StorageClass"], listed["ETag"]) == ("DEEP_ARCHIVE", etag)
    assert refusal(s3.get_object, Bucket=acme.bucket, Key="cost/a") == "InvalidObjectState"


def test_an_overwritten_object_no_longer_matches_its_old_etag(s3_as, acme):
    old = acme.put_object("cost/a", b"1")
    new = acme.put_object("cost/a", b"2", etag="0123456789abcdef0123456789abcdef-2")
    assert new == '"0123456789abcdef0123456789abcdef-2"'
    s3 = s3_as(acme, "id-of-acme")
    assert refusal(s3.get_object, Bucket=acme.bucket, Key="cost/a", IfMatch=old) == "PreconditionFailed"


def test_a_whole_object_comes_with_its_crc64nvme_and_a_range_without(s3_as, acme):
    acme.put_object("cost/a", b"123456789")
    s3 = s3_as(acme, "id-of-acme")
    whole = s3.get_object(Bucket=acme.bucket, Key="cost/a")
    assert (whole["ChecksumCRC64NVME"], whole["ChecksumType"]) == ("rosUhgp5mIg=", "FULL_OBJECT")
    part = s3.get_object(Bucket=acme.bucket, Key="cost/a", Range="bytes=2-4")
    assert (part["Body"].read(), "ChecksumCRC64NVME" in part) == (b"345", False)


def test_a_deleted_object_is_gone(s3_as, acme):
    acme.put_object("cost/a", b"1")
    acme.delete_object("cost/a")
    assert acme.list_keys() == []
    assert refusal(s3_as(acme, "id-of-acme").get_object, Bucket=acme.bucket, Key="cost/a") == "NoSuchKey"
