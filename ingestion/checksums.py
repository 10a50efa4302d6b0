"""Compares the bytes of an object, however they were read, with the checksum S3 keeps of them."""

import base64
import re
from collections.abc import Mapping
from typing import Any

from ingestion.digests import InOrderDigest
from ingestion.errors import ChecksumMismatch

_MD5 = re.compile(r'"([0-9a-f]{32})"')
# In the order in which they are compared.
_KEPT = ("CRC64NVME", "SHA256", "CRC32C", "CRC32", "SHA1")


def compare(digest: InOrderDigest, etag: str, head: Mapping[str, Any]) -> None:
    """Raise ChecksumMismatch where the finished digest is another than S3's.

    `head` is S3's answer to a HEAD with checksums. An object of which S3 keeps neither a checksum of the
    whole nor an MD5 as its ETag cannot be compared.
    """
    found = digest.checksums()
    kept = {kind: base64.b64decode(head[f"Checksum{kind}"]) for kind in _KEPT if _is_of_whole(kind, head)}
    for kind, value in (kept or _md5(etag, head)).items():
        if found[kind] != value:
            raise ChecksumMismatch(
                f"The bytes received have the {kind} {found[kind].hex()}, S3 keeps {value.hex()}."
            )


def _is_of_whole(kind: str, head: Mapping[str, Any]) -> bool:
    # A CRC64NVME is always that of the whole object; of the others there may be one of its parts' checksums.
    return f"Checksum{kind}" in head and (kind == "CRC64NVME" or head.get("ChecksumType") == "FULL_OBJECT")


def _md5(etag: str, head: Mapping[str, Any]) -> dict[str, bytes]:
    """The MD5 that an ETag is, unless the object is encrypted with a key of KMS or of the client's own."""
    plain = head.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in head
    found = _MD5.fullmatch(etag)
    return {"MD5": bytes.fromhex(found[1])} if found and plain else {}
