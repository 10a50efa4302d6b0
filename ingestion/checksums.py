"""Compares the bytes of an object, however they were read, with the checksum S3 keeps of them."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from ingestion.digests import InOrderDigest
from ingestion.errors import ChecksumMismatch

_MD5 = re.compile(r'"([0-9a-f]{32})"')


def compare(digest: InOrderDigest, etag: str, head: Mapping[str, Any]) -> None:
    """Raise ChecksumMismatch where the finished digest is another than S3's.

    `head` is S3's answer to a HEAD with checksums. An object of which S3 keeps neither a checksum of the
    whole nor an MD5 as its ETag cannot be compared.
    """
    for kind, found, kept in (
        ("CRC64NVME", _base64(digest.crc64nvme), head.get("ChecksumCRC64NVME")),
        ("SHA256", _base64(digest.sha256), _of_whole_object(head)),
        ("MD5", digest.md5.hex(), _md5(etag, head)),
    ):
        if kept and found != kept:
            raise ChecksumMismatch(f"The bytes received have the {kind} {found}, S3 keeps {kept}.")


def _of_whole_object(head: Mapping[str, Any]) -> str | None:
    return head.get("ChecksumSHA256") if head.get("ChecksumType") == "FULL_OBJECT" else None


def _md5(etag: str, head: Mapping[str, Any]) -> str | None:
    """The MD5 that an ETag is, unless S3 keeps a better checksum or encrypts the object with a key of KMS."""
    plain = head.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in head
    found = _MD5.fullmatch(etag)
    return found[1] if found and plain and not head.get("ChecksumType") else None


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
