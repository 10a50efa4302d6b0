"""A key -> what it says of its object."""

from ingestion.layouts.data_exports import data_export
from ingestion.layouts.facts import KeyFacts, KeyLayout, Kind, Mode, Partition, Scope
from ingestion.layouts.generic import generic
from ingestion.layouts.legacy_cur import dbr, legacy_cur

__all__ = ["KeyFacts", "KeyLayout", "Kind", "Mode", "Partition", "Scope", "classify"]

TEST_OBJECTS = {"aws-programmatic-access-test-object", "test-object"}


def classify(key: str) -> KeyFacts:
    """The facts of any key, however odd; never raises. Keys are taken exactly: no slash is ignored."""
    segments = key.split("/")
    if not segments[-1]:
        return KeyFacts(kind=Kind.FOLDER)
    known = data_export(segments) or legacy_cur(segments) or dbr(segments)
    if known:
        return known
    if segments[-1] in TEST_OBJECTS:
        return KeyFacts(kind=Kind.TEST_OBJECT)
    return generic(segments) or KeyFacts()
