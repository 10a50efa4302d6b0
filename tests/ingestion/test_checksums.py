"""What was read is compared with what S3 keeps of it, however it was read; what differs is never loaded."""

import base64
import hashlib
import random
from typing import Any

import pyarrow as pa
import pytest

from ingestion.checksums import compare
from ingestion.digests import InOrderDigest
from ingestion.errors import ChecksumMismatch
from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.faulty_s3 import FaultyAws, with_headers
from tests.ingestion.bad_inputs.cases import stored_rows

NOISE = [random.Random(number).randbytes(500).hex() for number in range(6_000)]  # beyond one GET's read-ahead
BODIES = {"f.csv.gz": csv_gz("a\n1\n"), "f.parquet": parquet(pa.table({"a": NOISE}), compression="none")}
OTHER = base64.b64encode(b"other 64").decode()
DATA = b"123456789"
MD5 = hashlib.md5(DATA, usedforsecurity=False).hexdigest()
CRC64NVME = base64.b64encode(
    bytes.fromhex("ae8b14860a799888")
).decode()  # the algorithm's published check value
CRC32 = base64.b64encode(bytes.fromhex("cbf43926")).decode()
SHA256 = base64.b64encode(hashlib.sha256(DATA).digest()).decode()
WHOLE = {"ChecksumType": "FULL_OBJECT"}


def stored(client: ClientUnderTest, name: str) -> Any:
    return client.account._object(f"exports/{name}/{name}")


@pytest.fixture
def client(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """With one object of each kind: the gzip is read in one GET, the Parquet file in ranges."""
    for name, body in BODIES.items():
        client_under_test.account.put_object(f"exports/{name}/{name}", body)
    return client_under_test


@pytest.mark.django_db(transaction=True, databases=["default", "progress"])
class TestThePipeline:
    def test_bytes_with_another_checksum_are_not_loaded_and_tried_again(
        self, client: ClientUnderTest
    ) -> None:
        for name in BODIES:
            stored(client, name).checksum_value = OTHER
        for attempt in client.ingest():
            assert (attempt.outcome, attempt.error_code) == ("FAILED", "checksum_mismatch")
            assert attempt.source_file.next_retry_at is not None
        assert stored_rows(client) == 0

    @pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1"])
    def test_whichever_checksum_s3_keeps_is_compared(
        self, client: ClientUnderTest, wire: FaultyAws, algorithm: str
    ) -> None:
        wire.ever["HeadObject"] = with_headers(x_amz_checksum_type="FULL_OBJECT")  # moto leaves it out
        for name in BODIES:
            kept = stored(client, name)
            kept.checksum_algorithm, kept.checksum_value = algorithm, OTHER
        assert [one.error_code for one in client.ingest()] == ["checksum_mismatch"] * 2

    def test_without_a_checksum_an_etag_that_is_an_md5_is_compared(self, client: ClientUnderTest) -> None:
        for name, body in BODIES.items():
            client.account.put_object(f"exports/{name}/{name}", body, etag="0" * 32)
            stored(client, name).checksum_algorithm = None
        assert [one.error_code for one in client.ingest()] == ["checksum_mismatch"] * 2
        for name, body in BODIES.items():
            client.account.put_object(f"exports/{name}/{name}", body)
            stored(client, name).checksum_algorithm = None
        assert [one.outcome for one in client.ingest()] == ["SUCCEEDED"] * 2

    def test_without_either_the_file_is_loaded(self, client: ClientUnderTest) -> None:
        for name, body in BODIES.items():
            client.account.put_object(f"exports/{name}/{name}", body, etag="0" * 32 + "-2")
            stored(client, name).checksum_algorithm = None
        assert [one.outcome for one in client.ingest()] == ["SUCCEEDED"] * 2


def digest() -> InOrderDigest:
    """Of DATA, seen out of order."""
    found = InOrderDigest(len(DATA))
    found.saw(5, DATA[5:])
    found.saw(0, DATA[:6])
    found.finish(lambda offset, length: DATA[offset : offset + length])
    return found


@pytest.mark.parametrize(
    ("etag", "head"),
    [
        ('"x-2"', {**WHOLE, "ChecksumCRC64NVME": CRC64NVME}),
        ('"x-2"', {**WHOLE, "ChecksumSHA256": SHA256}),
        ('"x-2"', {"ChecksumType": "COMPOSITE", "ChecksumSHA256": f"{OTHER}-2"}),
        (f'"{MD5}"', {"ServerSideEncryption": "AES256"}),
        (f'"{"0" * 32}"', {"ServerSideEncryption": "aws:kms"}),
        (f'"{"0" * 32}"', {"SSECustomerAlgorithm": "AES256"}),
        (f'"{"0" * 32}"', {**WHOLE, "ChecksumCRC64NVME": CRC64NVME}),
        ('"x-2"', {**WHOLE, "ChecksumCRC32": CRC32}),
        (f'"{MD5}"', {"ChecksumType": "COMPOSITE", "ChecksumCRC32": f"{OTHER}-2"}),
    ],
)
def test_what_agrees_or_cannot_be_compared_passes(etag: str, head: dict[str, str]) -> None:
    compare(digest(), etag, head)


@pytest.mark.parametrize(
    ("etag", "head"),
    [
        (f'"{MD5}"', {**WHOLE, "ChecksumCRC64NVME": OTHER}),
        (f'"{MD5}"', {**WHOLE, "ChecksumSHA256": OTHER}),
        (f'"{"0" * 32}"', {}),
        *((f'"{MD5}"', {**WHOLE, f"Checksum{kind}": OTHER}) for kind in ("CRC32", "CRC32C", "SHA1")),
        (f'"{"0" * 32}"', {"ChecksumType": "COMPOSITE", "ChecksumCRC32": f"{OTHER}-2"}),
    ],
)
def test_what_differs_is_refused(etag: str, head: dict[str, str]) -> None:
    with pytest.raises(ChecksumMismatch):
        compare(digest(), etag, head)
