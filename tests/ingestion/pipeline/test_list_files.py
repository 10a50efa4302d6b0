"""Step 2: every object under the exact prefix, as it is."""

import pytest

from ingestion.aws_calls import Calls
from ingestion.errors import NoSuchBucket
from ingestion.pipeline.assume_role import access_of, s3_client
from ingestion.pipeline.list_files import RemoteFile, list_files
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, new_client

pytestmark = pytest.mark.django_db(transaction=True)


def listed(client: ClientUnderTest) -> list[list[RemoteFile]]:
    access = access_of(client.connection)
    return list(list_files(s3_client(access, Calls("d1")), access))


def test_every_page_is_read(client_under_test: ClientUnderTest) -> None:
    for number in range(1001):
        client_under_test.account.put_object(f"exports/{number:05}.csv", b"x")
    pages = listed(client_under_test)
    assert [len(page) for page in pages] == [1000, 1]
    assert [file.key for page in pages for file in page] == [f"exports/{n:05}.csv" for n in range(1001)]


def test_odd_keys_come_through_exactly(client_under_test: ClientUnderTest) -> None:
    odd = [
        "a b+c.csv",
        "%41%2F.csv",
        "é漢字.csv",
        "x//y/../z.csv",
        "q?x=1&y=<z>'\".csv",
        "\\.csv",
        "\x01.csv",
        "folder/",
    ]
    keys = sorted((f"exports/{key}" for key in odd), key=str.encode)
    for key in keys:
        client_under_test.account.put_object(key, b"x")
    assert [file.key for page in listed(client_under_test) for file in page] == keys


@pytest.mark.parametrize("prefix", ["/", "a//", "a/./", "no-slash"])
def test_the_prefix_is_used_exactly_as_entered(aws: SimulatedAws, raw_database: None, prefix: str) -> None:
    client = new_client(aws, prefix)
    client.account.put_object(f"{prefix}x.csv", b"x")
    client.account.put_object(f"other/{prefix}x.csv", b"x")
    assert [file.key for page in listed(client) for file in page] == [f"{prefix}x.csv"]


def test_a_listing_tells_size_version_time_and_storage_class(client_under_test: ClientUnderTest) -> None:
    etag = client_under_test.account.put_object("exports/x.csv", b"12345", storage_class="GLACIER")
    ((file,),) = listed(client_under_test)
    when = client_under_test.account.last_modified("exports/x.csv").replace(microsecond=0)
    assert file == RemoteFile("exports/x.csv", etag, 5, when, "GLACIER")


def test_a_bucket_that_is_not_there_is_named(aws: SimulatedAws, raw_database: None) -> None:
    client = new_client(aws)
    client.connection.bucket = "another-bucket-nobody-has"
    client.connection.save()
    run = client.discover()
    assert run.error_code in {NoSuchBucket.code, "access_denied"}
    assert "another-bucket-nobody-has" in run.error_message
