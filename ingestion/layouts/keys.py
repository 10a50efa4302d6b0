from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    DATA = "data"
    MANIFEST = "manifest"
    STATUS = "status"
    HELPER = "helper"
    UNLISTED = "unlisted"
    TEST_OBJECT = "test_object"
    FOLDER = "folder"
    IGNORED = "ignored"


class KeyLayout(StrEnum):
    LEGACY_CUR = "legacy_cur"
    GENERIC = "generic"


@dataclass(frozen=True)
class KeyFacts:
    key_layout: KeyLayout
    kind: Kind
    root: str = ""
    name: str = ""
    mode: object = None
    period_start: object = None
    period_end: object = None
    is_billing: bool = True


def classify(key):
    return KeyFacts(
        KeyLayout.GENERIC,
        Kind.DATA
        if key.endswith((".csv", ".csv.gz", ".csv.zip", ".parquet"))
        else Kind.MANIFEST
        if key.endswith("Manifest.json")
        else Kind.IGNORED,
        "",
        "x",
    )
