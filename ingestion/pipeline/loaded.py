"""What a load hands on to the registry."""

from dataclasses import dataclass

from ingestion.formats.contract import Oddities


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load found out about a file. Sizes in bytes; digests are SHA-256 in hex."""

    rows: int
    rows_sha256: str
    object_sha256: str
    bytes_read: int
    decoded_bytes: int
    names: tuple[str, ...]
    types: tuple[str, ...]
    parser: str
    oddities: Oddities
