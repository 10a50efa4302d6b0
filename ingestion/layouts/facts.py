"""What a key tells of its object: the closed sets of answers."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class KeyLayout(StrEnum):
    """Whose rules a key follows."""

    LEGACY_CUR = "legacy_cur"
    DATA_EXPORT = "data_export"
    DBR = "dbr"
    GENERIC = "generic"
    NONE = "none"


class Kind(StrEnum):
    """What the object is. UNLISTED: in the right place, but not named as AWS names its parts."""

    DATA = "data"
    MANIFEST = "manifest"
    STATUS = "status"
    HELPER = "helper"
    UNLISTED = "unlisted"
    TEST_OBJECT = "test_object"
    FOLDER = "folder"
    IGNORED = "ignored"


class Mode(StrEnum):
    """How an export is versioned; ATHENA is overwrite in `year=/month=` folders."""

    CREATE_NEW = "create_new"
    OVERWRITE = "overwrite"
    ATHENA = "athena"


class Scope(StrEnum):
    """What a manifest speaks of: the period's current delivery, or one snapshot for ever."""

    CURRENT = "current"
    SNAPSHOT = "snapshot"


class Partition(StrEnum):
    """How a Data Export is divided; only billing periods hold billing rows."""

    BILLING_PERIOD = "billing_period"
    DATE = "date"
    CARBON = "carbon"


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """All that a key tells. `root` is exact, slashes and all, and ends where `name` begins.

    `period_end` is exclusive. What a key does not tell is None.
    """

    key_layout: KeyLayout = KeyLayout.NONE
    kind: Kind = Kind.IGNORED
    mode: Mode | None = None
    scope: Scope | None = None
    root: str = ""
    name: str = ""
    period_start: date | None = None
    period_end: date | None = None
    snapshot_id: str | None = None
    part: int | None = None
    format: str | None = None
    partition: Partition | None = None

    @property
    def is_billing(self) -> bool:
        """Does its export hold billing lines that KCX loads?"""
        return self.key_layout is not KeyLayout.DBR and self.partition in {None, Partition.BILLING_PERIOD}
