"""Data that is newer than its manifest: a race where AWS overwrites, a copy where it never does."""

from datetime import timedelta

import pytest
from django.utils import timezone

from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Mode
from tests.builders import ClientUnderTest
from tests.ingestion.deliveries.test_by_manifest import (
    EVERY_LAYOUT,
    LAYOUTS,
    MARCH,
    NOON,
    OVERWRITE,
    deliveries,
    part,
    shown,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

NEVER_REWRITTEN = [export for export in LAYOUTS if export.mode is Mode.CREATE_NEW]


def copied(client: ClientUnderTest, export: ExportSpec, *, data_after: timedelta) -> None:
    """A month delivered long ago and copied into the bucket in June, its small manifests first."""
    BillingService(client.account).deliver(export, MARCH, [part("1"), part("2")], at=NOON)
    june = NOON + timedelta(days=80)
    for key in client.account.list_keys():
        at = june if key.endswith(".json") else june + data_after
        client.account.set_last_modified(key, at)


@pytest.mark.parametrize("export", NEVER_REWRITTEN, ids=[str(export.family) for export in NEVER_REWRITTEN])
def test_a_month_that_was_copied_after_its_manifest_is_shown_where_aws_never_rewrites(
    client_under_test: ClientUnderTest, export: ExportSpec
) -> None:
    copied(client_under_test, export, data_after=timedelta(seconds=3))
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]


@EVERY_LAYOUT
def test_a_month_that_was_copied_before_its_manifest_is_shown(
    client_under_test: ClientUnderTest, export: ExportSpec
) -> None:
    copied(client_under_test, export, data_after=timedelta(seconds=-3))
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]


def test_files_that_aws_overwrites_and_that_stay_newer_than_their_manifest_are_held_back_and_told(
    client_under_test: ClientUnderTest,
) -> None:
    copied(client_under_test, OVERWRITE, data_after=timedelta(seconds=3))
    client_under_test.ingest()
    first = "exports/r/20260301-20260401/r-1.csv.gz"
    why = "Data newer than its manifest, and none of its files written for a day: copied, or given up?"
    assert deliveries() == [("INCOMPLETE", f"{why} {first}")]
    account = client_under_test.account
    account.put_object(first, part("9"), at=timezone.now() - timedelta(hours=3))
    client_under_test.ingest()
    assert deliveries() == [("INCOMPLETE", f"Data newer than its manifest, AWS is delivering: {first}")]
    assert shown(client_under_test) == []
    manifest = "exports/r/20260301-20260401/r-Manifest.json"
    account.put_object(manifest, account.read_object(manifest), at=timezone.now())
    client_under_test.ingest()
    assert shown(client_under_test) == ["2", "9"]
