"""Step 4: one object version as bytes, whatever happens to the connection."""

import base64
import hashlib
import io
import random
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.errors import ChecksumMismatch, IngestionError, ObjectChanged, ObjectGone, StreamBroken
from ingestion.pipeline.assume_role import access_of, s3_client
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject
from tests.builders import ClientUnderTest, parquet
from tests.faulty_s3 import FaultyS3, serving

BODY = random.Random(1).randbytes(3_000_000)


def reader_of(origin: FaultyS3) -> ObjectReader:
    return ObjectReader(origin.client(), PinnedObject("b", "k", '"v1"', len(origin.body), "111122223333"))


def test_reading_on_is_one_request_pinned_to_the_version_and_the_owner() -> None:
    with serving(FaultyS3(BODY)) as origin, reader_of(origin) as reader:
        chunks = [reader.read(100_000) for _ in range(30)]
        assert b"".join(chunks) == BODY
        assert reader.read(1) == b""
        assert reader.sha256() == hashlib.sha256(BODY).hexdigest()
    assert len(origin.requests) == 1
    assert origin.requests[0]["If-Match"] == '"v1"'
    assert origin.requests[0]["x-amz-expected-bucket-owner"] == "111122223333"


def test_a_broken_connection_is_resumed_at_the_byte_where_it_broke() -> None:
    with serving(FaultyS3(BODY, cuts=[1_500_000, 1_000_000])) as origin, reader_of(origin) as reader:
        assert reader.read() == BODY
        assert reader.sha256() == hashlib.sha256(BODY).hexdigest()
    ranges = [request.get("Range") for request in origin.requests]
    assert ranges[0] is None
    assert [int(str(text).removeprefix("bytes=").rstrip("-")) > 0 for text in ranges[1:]] == [True] * (
        len(ranges) - 1
    )
    assert all(request["If-Match"] == '"v1"' for request in origin.requests)


def test_a_parquet_reader_is_resumed_too() -> None:
    table = pa.table({"n": pa.array(range(200_000)), "text": [str(n) for n in range(200_000)]})
    body = parquet(table, row_group_size=50_000)
    with serving(FaultyS3(body, cuts=[None, 300_000])) as origin, reader_of(origin) as reader:
        assert pq.read_table(pa.PythonFile(reader, "r"), pre_buffer=False, use_threads=False).equals(table)
        assert reader.sha256() == hashlib.sha256(body).hexdigest()
    assert len(origin.requests) > 2


def test_a_version_that_is_overwritten_between_two_reads_is_never_mixed() -> None:
    with serving(FaultyS3(BODY, cuts=[2_000_000])) as origin, reader_of(origin) as reader:
        reader.read(10)
        origin.etag = '"v2"'
        with pytest.raises(ObjectChanged):
            reader.read()


def test_a_connection_that_breaks_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "smart_open.s3.time.sleep", lambda _seconds: None
    )  # its pauses add up to half a minute
    with serving(FaultyS3(BODY, cuts=[0] * 50)) as origin:
        broken = pytest.raises(StreamBroken, match="broke at byte 0")
        with reader_of(origin) as reader, broken:
            reader.read(10)


def test_bytes_with_another_checksum_than_s3_keeps_are_refused() -> None:
    wrong = {
        "x-amz-checksum-crc32": base64.b64encode(b"\0\0\0\0").decode(),
        "x-amz-checksum-type": "FULL_OBJECT",
    }
    with serving(FaultyS3(BODY, headers=wrong)) as origin:
        refused = pytest.raises(ChecksumMismatch)
        with reader_of(origin) as reader, refused:
            reader.read()


@pytest.mark.parametrize("order", [[2, 0, 1], [0, 2, 1], [1], [2, 2, 0]])
def test_the_digest_is_that_of_the_file_order_whatever_was_read(order: list[int]) -> None:
    with serving(FaultyS3(BODY)) as origin, reader_of(origin) as reader:
        for third in order:
            reader.seek(third * 1_000_000)
            reader.read(1_000_000)
        assert reader.sha256() == hashlib.sha256(BODY).hexdigest()


def test_seeking_is_free_until_something_is_read() -> None:
    with serving(FaultyS3(BODY)) as origin, reader_of(origin) as reader:
        assert reader.seek(0, io.SEEK_END) == len(BODY)
        assert reader.seek(-10, io.SEEK_CUR) == len(BODY) - 10
        assert reader.seek(0) == 0
        assert origin.requests == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda client: client.account.put_object("exports/x.csv", b"new"), ObjectChanged),
        (lambda client: client.account.delete_object("exports/x.csv"), ObjectGone),
    ],
)
def test_what_is_no_longer_there_is_told_apart(
    client_under_test: ClientUnderTest,
    change: Callable[[ClientUnderTest], object],
    error: type[IngestionError],
) -> None:
    etag = client_under_test.account.put_object("exports/x.csv", b"old")
    access = access_of(client_under_test.connection)
    pinned = PinnedObject(access.bucket, "exports/x.csv", etag, 3, access.owner)
    change(client_under_test)
    with pytest.raises(error), ObjectReader(s3_client(access, "a1"), pinned) as reader:
        reader.read()
