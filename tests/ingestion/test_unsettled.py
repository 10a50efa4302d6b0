"""Settling: what failed for good costs nothing until something about it changes, and then it is told."""

from itertools import product
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from ingestion.models import Delivery, DeliveryScope, Export, SourceFile
from ingestion.pipeline.update_registry import release, retry_now, skip_by_staff
from ingestion.publish import publish, publish_pending, settle
from ingestion.unsettled import unsettled
from tests.ingestion.registered import (
    NOON,
    a_connection,
    a_delivery,
    a_file,
    a_scope,
    an_export,
    become_ingested,
    failed,
    ingested,
)

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("raw_database"),
]
MANY = 200
FILES: dict[str, dict[str, Any]] = {
    "failed for good": {"status": "FAILED", "error_code": "corrupt_gzip"},
    "failed otherwise": {"status": "FAILED", "error_code": "bad_csv"},
    "tried again": {"status": "FAILED", "error_code": "bad_csv", "next_retry_at": NOON},
    "skipped": {"status": "SKIPPED", "skip_reason": "BY_STAFF"},
    "replaced": {"status": "SKIPPED", "skip_reason": "REPLACED"},
}
SCOPES = ("a key", "a key of an export with manifests", "a folder", "a manifest")
NEWER = ("none", "open", "current")


@pytest.fixture
def export(raw_database: None) -> Export:
    return an_export(a_connection())


def a_key(export: Export, name: str = "a.csv") -> DeliveryScope:
    return DeliveryScope.objects.create(export=export, key=name)


def told(delivery: Delivery) -> tuple[str, str]:
    delivery.refresh_from_db()
    return delivery.status, delivery.reason


def look() -> int:
    return publish_pending(Delivery.objects.all())


def a_key_that_failed(export: Export) -> tuple[SourceFile, Delivery]:
    """Its delivery is incomplete, and a look at everything passes it by."""
    file = failed(export)
    delivery = a_delivery(a_key(export), file, listed_keys=[file.key])
    look()
    assert told(delivery) == ("INCOMPLETE", f"A file failed for good (corrupt_gzip): {file.key}")
    assert unsettled(Delivery.objects.all()) == []
    return file, delivery


@pytest.mark.parametrize("versions", [1, 2])
def test_deliveries_whose_files_failed_for_good_cost_a_look_no_transaction_each(
    export: Export, versions: int
) -> None:
    for number in range(MANY):
        scope = a_key(export, f"{number}.csv")
        for minute in range(versions):
            a_delivery(scope, failed(export), minute=minute, snapshot=str(minute))
    look()
    assert Delivery.objects.filter(status="INCOMPLETE").count() == MANY
    with CaptureQueriesContext(connection) as asked:
        look()
    assert len(asked) <= 6, "a few for all of them together; none is locked"


def test_a_retry_brings_a_delivery_back(export: Export) -> None:
    file, delivery = a_key_that_failed(export)
    with transaction.atomic():
        retry_now(SourceFile.objects.all())
    look()
    assert told(delivery) == ("PENDING", "")
    file.refresh_from_db()
    file.error_code, file.next_retry_at = "", None
    become_ingested(file)
    assert look() == 1


def test_a_retry_that_fails_otherwise_is_told(export: Export) -> None:
    file, delivery = a_key_that_failed(export)
    SourceFile.objects.filter(pk=file.pk).update(error_code="bad_csv")
    look()
    assert told(delivery) == ("INCOMPLETE", f"A file failed for good (bad_csv): {file.key}")


def test_what_a_person_skips_and_releases_is_told_and_published(export: Export) -> None:
    file, delivery = a_key_that_failed(export)
    with transaction.atomic():
        skip_by_staff(SourceFile.objects.all())
    look()
    assert told(delivery) == ("INCOMPLETE", f"{SourceFile.SkipReason.BY_STAFF.label}: {file.key}")
    with transaction.atomic():
        release(SourceFile.objects.all())
    file.refresh_from_db()
    become_ingested(file)
    assert look() == 1
    assert told(delivery) == ("CURRENT", "")


def test_of_two_files_the_one_that_is_left_is_told(export: Export) -> None:
    files = {file.key: file for file in (failed(export), failed(export))}
    delivery = a_delivery(a_scope(export), *files.values(), manifest_key="m-Manifest.json")
    look()
    mended = files.pop(told(delivery)[1].split(": ")[1])
    mended.error_code = ""
    become_ingested(mended)
    look()
    assert told(delivery) == ("INCOMPLETE", f"A file failed for good (corrupt_gzip): {next(iter(files))}")


def test_a_newer_version_of_the_key_quietens_the_one_that_failed_and_ends_it(export: Export) -> None:
    file, delivery = a_key_that_failed(export)
    newer = a_file(export)
    a_delivery(delivery.scope, newer, minute=1, snapshot="newer")
    look()
    assert told(delivery) == ("PENDING", f"A file failed for good (corrupt_gzip): {file.key}")
    become_ingested(newer)
    assert look() == 1
    assert told(delivery)[0] == "SUPERSEDED"


def test_a_manifest_of_its_export_ends_a_key_that_failed(export: Export) -> None:
    _, delivery = a_key_that_failed(export)
    Export.objects.update(has_manifests=True)
    look()
    assert told(delivery)[0] == "SUPERSEDED"


def test_a_delivery_is_settled_exactly_where_that_changes_it(export: Export) -> None:
    """Each state that a delivery may come into after it was told that its file failed for good."""
    for number, (state, scope_of, newer) in enumerate(product(FILES, SCOPES, NEWER)):
        scope, manifest = a_scope_of(scope_of, number)
        file = failed(scope.export)
        delivery = a_delivery(scope, file, manifest_key=manifest)
        settle(delivery.pk)
        SourceFile.objects.filter(pk=file.pk).update(**{"error_code": "", **FILES[state]})
        if newer != "none":
            other = a_delivery(scope, ingested(scope.export), minute=1, snapshot="newer")
            if newer == "current":
                Delivery.objects.filter(pk=other.pk).update(status="CURRENT", published_at=NOON)
        before = told(delivery)
        named = unsettled(Delivery.objects.filter(pk=delivery.pk, status__in=["PENDING", "INCOMPLETE"]))
        settle(delivery.pk)
        assert bool(named) == (told(delivery) != before), (state, scope_of, newer)


def a_scope_of(kind: str, number: int) -> tuple[DeliveryScope, str]:
    """A scope of an export of its own, and the key of its manifest."""
    export = an_export(a_connection(), has_manifests="manifests" in kind or kind == "a manifest")
    scope = a_key(export) if kind.startswith("a key") else a_scope(export)
    return scope, f"{number}-Manifest.json" if kind == "a manifest" else ""


def test_the_newest_and_the_current_of_a_scope_speak_for_all_of_it(export: Export) -> None:
    scope = a_key(export)
    file = failed(export)
    oldest = a_delivery(scope, file, snapshot="oldest")
    assert publish(a_delivery(scope, ingested(export), minute=1, snapshot="current").pk)
    reason = f"A file failed for good (corrupt_gzip): {file.key}"
    Delivery.objects.filter(pk=oldest.pk).update(status="PENDING", superseded_at=None, reason=reason)
    a_delivery(scope, failed(export), minute=2, snapshot="newest")
    look()
    assert told(oldest)[0] == "SUPERSEDED"
