"""Parquet whose columns are read in turns: bytes that were not hashed as they were read are read again."""

import functools
import hashlib
import random
from dataclasses import replace

import pyarrow as pa
import pytest

from ingestion import load_session
from ingestion.digests import InOrderDigest
from ingestion.errors import ChecksumMismatch
from ingestion.formats import parquet_file
from ingestion.pipeline.stream_read import ObjectReader
from tests.builders import ClientUnderTest, parquet
from tests.faulty_s3 import Answer, Fault, FaultyAws, Wire

KEY = "exports/large.parquet"
NOISE = [random.Random(number).randbytes(500).hex() for number in range(1500)]
BODY = parquet(
    pa.table(dict.fromkeys("abc", NOISE)), compression="none", use_dictionary=False, data_page_size=2**14
)
DATA = bytes(range(256))


def first_byte(answer: Answer) -> int:
    headers = {name.lower(): text for name, text in answer.headers.items()}
    return int(headers.get("content-range", "bytes 0-").split()[1].partition("-")[0])


def flipping(at: int) -> Fault:
    """One bit of the object's byte there is turned over, whichever answer holds it."""

    def fault(wire: Wire, answer: Answer) -> None:
        place, body = at - first_byte(answer), bytearray(answer.body)
        if 0 <= place < len(body):
            body[place] ^= 1
        wire.send(replace(answer, body=bytes(body)).head + body)

    return fault


def in_parts(parts: int, seconds: float) -> Fault:
    """The body in so many parts, so many seconds apart."""

    def fault(wire: Wire, answer: Answer) -> None:
        wire.send(answer.head)
        size = len(answer.body) // parts + 1
        for start in range(0, len(answer.body), size):
            wire.send(answer.body[start : start + size])
            wire.pause(seconds)

    return fault


@pytest.fixture
def waiting(client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch) -> ClientUnderTest:
    """With a file whose columns are read in turns, and a digest that keeps next to nothing."""
    monkeypatch.setattr(parquet_file, "_WHOLE_GROUP_BYTES", 0)
    monkeypatch.setattr(parquet_file, "_PAGE_BUFFER_BYTES", 2**16)
    monkeypatch.setattr(InOrderDigest, "__init__", functools.partialmethod(InOrderDigest.__init__, keep=1000))
    client_under_test.account.put_object(KEY, BODY)
    client_under_test.discover()
    return client_under_test


def from_verify_on(wire: FaultyAws, monkeypatch: pytest.MonkeyPatch, fault: Fault | None) -> None:
    """Another fault, or none, as soon as the rows are read."""
    verify = ObjectReader.verify

    def changed(reader: ObjectReader) -> None:
        wire.heal()
        if fault:
            wire.ever["GetObject"] = fault
        verify(reader)

    monkeypatch.setattr(ObjectReader, "verify", changed)


@pytest.mark.django_db(transaction=True, databases=["default", "progress"])
class TestALoad:
    def test_it_has_the_digest_of_the_object(self, waiting: ClientUnderTest, wire: FaultyAws) -> None:
        assert [(attempt.outcome, attempt.error_message) for attempt in waiting.load_all()] == [
            ("SUCCEEDED", "")
        ]
        file = waiting.file(KEY)
        assert (file.row_count, file.object_sha256) == (len(NOISE), hashlib.sha256(BODY).hexdigest())
        assert waiting.rows(KEY) == [[noise] * 3 for noise in NOISE]

    def test_bytes_that_are_right_only_the_second_time_are_not_loaded(
        self, waiting: ClientUnderTest, wire: FaultyAws, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        in_the_first = BODY.index(NOISE[5].encode())
        value = BODY.index(NOISE[5].encode(), in_the_first + 1)
        wire.ever["GetObject"] = flipping(value)
        from_verify_on(wire, monkeypatch, None)
        (attempt,) = waiting.load_all()
        assert (attempt.outcome, attempt.error_code) == ("FAILED", "checksum_mismatch")
        assert "read again" in attempt.error_message
        assert waiting.rows(KEY) == []

    def test_its_session_outlives_a_reading_again_that_is_longer_than_a_session_may_idle(
        self,
        waiting: ClientUnderTest,
        wire: FaultyAws,
        monkeypatch: pytest.MonkeyPatch,
        settings: pytest.FixtureRequest,
    ) -> None:
        monkeypatch.setattr(load_session, "WORK_SECONDS", 0)
        settings.KCX_AWS_SECONDS = 2
        from_verify_on(wire, monkeypatch, in_parts(8, 0.4))
        assert [(attempt.outcome, attempt.error_message) for attempt in waiting.load_all()] == [
            ("SUCCEEDED", "")
        ]


class TestTheDigest:
    @pytest.mark.parametrize(
        "pieces",
        [
            [(200, 256), (0, 50), (100, 150), (50, 100), (150, 200)],
            [(0, 256), (20, 40), (20, 40)],
            [(0, 100), (50, 150), (40, 160)],
            [(100, 200), (150, 256), (90, 120)],
        ],
    )
    @pytest.mark.parametrize("keep", [0, 60, 1000])
    def test_whatever_the_order_it_is_that_of_the_object_and_damage_is_found(
        self, pieces: list[tuple[int, int]], keep: int
    ) -> None:
        digest = InOrderDigest(len(DATA), keep)
        for start, end in pieces:
            digest.saw(start, DATA[start:end])
        assert digest.finish(read) == hashlib.sha256(DATA).hexdigest()
        for number, (start, end) in enumerate(pieces):
            digest = InOrderDigest(len(DATA), keep)
            for place, (first, last) in enumerate(pieces):
                digest.saw(first, DATA[first:last] if place != number else bytes(last - first))
            assert not_of_data(digest), (start, end)

    def test_checksums_have_the_values_the_algorithms_publish(self) -> None:
        digest = InOrderDigest(9, 0)
        digest.saw(4, b"56789")
        digest.finish(lambda offset, length: b"123456789"[offset : offset + length])
        found = digest.checksums()
        assert found["CRC32"].hex() == "cbf43926"
        assert found["CRC32C"].hex() == "e3069283"
        assert found["CRC64NVME"].hex() == "ae8b14860a799888"


def read(offset: int, length: int) -> bytes:
    return DATA[offset : offset + length]


def not_of_data(digest: InOrderDigest) -> bool:
    """Does what was seen differ from DATA, as the digest or its refusal tells?"""
    try:
        return digest.finish(read) != hashlib.sha256(DATA).hexdigest()
    except ChecksumMismatch:
        return True
