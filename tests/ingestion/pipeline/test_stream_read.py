"""Step 4: one object version as bytes, whatever happens to the connection."""

import base64
import hashlib
import io
import random
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.aws_calls import Calls
from ingestion.errors import ChecksumMismatch, IngestionError, ObjectChanged, ObjectGone, StreamBroken
from ingestion.pipeline.assume_role import access_of, s3_client
from ingestion.pipeline.resume import PAUSES
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject
from tests.builders import ClientUnderTest, parquet
from tests.faulty_s3 import (
    Fault,
    FaultyAws,
    OneObject,
    cut,
    serving,
    stall,
    untouched,
    with_headers,
    without_length,
)

BODY = random.Random(1).randbytes(3_000_000)


def reader_of(s3: FaultyAws, size: int = len(BODY)) -> ObjectReader:
    return ObjectReader(s3.client(), PinnedObject("b", "k", '"v1"', size, "111122223333"))


def test_reading_on_is_one_request_pinned_to_the_version_and_the_owner() -> None:
    with serving(OneObject(BODY)) as s3, reader_of(s3) as reader:
        chunks = [reader.read(100_000) for _ in range(30)]
        assert b"".join(chunks) == BODY
        assert reader.read(1) == b""
        assert reader.sha256() == hashlib.sha256(BODY).hexdigest()
    assert len(s3.requests) == 1
    assert s3.requests[0].headers["If-Match"] == '"v1"'
    assert s3.requests[0].headers["x-amz-expected-bucket-owner"] == "111122223333"


@pytest.mark.parametrize("reset", [False, True])
def test_a_broken_connection_is_resumed_at_the_byte_where_it_broke(reset: bool) -> None:
    with serving(OneObject(BODY)) as s3, reader_of(s3) as reader:
        s3.script("GetObject", cut(1_500_000, reset=reset), cut(1_000_000, reset=reset))
        assert reader.read() == BODY
        assert reader.sha256() == hashlib.sha256(BODY).hexdigest()
    starts = [int(request.headers.get("Range", "bytes=0-")[6:-1]) for request in s3.requests]
    assert starts == sorted(starts)
    assert (starts[0], len(starts)) == (0, 3)
    assert reset or starts[1] > 1_000_000  # a reset loses what the kernel had not handed over yet
    assert all(request.headers["If-Match"] == '"v1"' for request in s3.requests)


def test_a_parquet_reader_is_resumed_too() -> None:
    table = pa.table({"n": pa.array(range(200_000)), "text": [str(n) for n in range(200_000)]})
    body = parquet(table, row_group_size=50_000)
    with serving(OneObject(body)) as s3, reader_of(s3, len(body)) as reader:
        s3.script("GetObject", untouched, cut(300_000))
        assert pq.read_table(pa.PythonFile(reader, "r"), pre_buffer=False, use_threads=False).equals(table)
        assert reader.sha256() == hashlib.sha256(body).hexdigest()
    assert len(s3.requests) > 2


def test_a_version_that_is_overwritten_between_two_reads_is_never_mixed() -> None:
    first = OneObject(BODY)
    with serving(first) as s3, reader_of(s3) as reader:
        s3.script("GetObject", cut(2_000_000))
        reader.read(10)
        first.etag = '"v2"'
        with pytest.raises(ObjectChanged):
            reader.read()


@pytest.mark.parametrize(
    "broken",
    [cut(0), cut(10), cut(0, reset=True), without_length(0), with_headers(ETag='"v2"')],
    ids=["FIN", "FIN after ten bytes", "reset", "no length", "another ETag"],
)
def test_a_connection_that_breaks_for_ever_is_given_up(broken: Fault, at_once: None) -> None:
    with serving(OneObject(BODY)) as s3, reader_of(s3) as reader:
        s3.ever["GetObject"] = broken
        with pytest.raises(StreamBroken):
            reader.read(10)
    assert len(s3.requests) == 1 + len(PAUSES)


def test_a_silent_connection_is_resumed() -> None:
    with serving(OneObject(BODY)) as s3:
        s3.script("GetObject", stall(1_000_000))
        pinned = PinnedObject("b", "k", '"v1"', len(BODY), "111122223333")
        with ObjectReader(s3.client(read_timeout=0.3), pinned) as reader:
            assert reader.read() == BODY
    assert len(s3.requests) == 2


@pytest.mark.parametrize("algorithm", ["crc32", "crc64nvme"])
@pytest.mark.parametrize("step", [1_000_000, len(BODY)])
def test_bytes_with_another_checksum_than_s3_keeps_are_refused(algorithm: str, step: int) -> None:
    wrong = base64.b64encode(bytes({"crc32": 4, "crc64nvme": 8}[algorithm])).decode()
    headers = {f"x-amz-checksum-{algorithm}": wrong, "x-amz-checksum-type": "FULL_OBJECT"}
    with serving(OneObject(BODY, headers=headers)) as s3:
        refused = pytest.raises(ChecksumMismatch)
        with reader_of(s3) as reader, refused:
            while reader.read(step):
                pass


@pytest.mark.parametrize("order", [[2, 0, 1], [0, 2, 1], [1], [2, 2, 0]])
def test_the_digest_is_that_of_the_file_order_whatever_was_read(order: list[int]) -> None:
    with serving(OneObject(BODY)) as s3, reader_of(s3) as reader:
        for third in order:
            reader.seek(third * 1_000_000)
            reader.read(1_000_000)
        assert reader.sha256() == hashlib.sha256(BODY).hexdigest()


def test_seeking_is_free_until_something_is_read() -> None:
    with serving(OneObject(BODY)) as s3, reader_of(s3) as reader:
        assert reader.seek(0, io.SEEK_END) == len(BODY)
        assert reader.seek(-10, io.SEEK_CUR) == len(BODY) - 10
        assert reader.seek(0) == 0
        assert s3.requests == []


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
    with pytest.raises(error), ObjectReader(s3_client(access, Calls("a1")), pinned) as reader:
        reader.read()
