"""Manifests as AWS writes them."""

from datetime import date

from ingestion.layouts.facts import KeyLayout
from ingestion.layouts.manifests import Manifest, ManifestColumn, parse_manifest
from tests.ingestion.layouts.manifest_bodies import ARN, data_export, legacy


def test_a_legacy_manifest_is_read() -> None:
    assert parse_manifest(legacy()) == Manifest(
        kind=KeyLayout.LEGACY_CUR,
        snapshot_id="20220503T120125Z",
        data_keys=("/r/20231201-20240101/a1/r-2.csv.gz", "/r/20231201-20240101/a1/r-1.csv.gz"),
        columns=(
            ManifestColumn("identity/LineItemId", "String"),
            ManifestColumn("resourceTags/user:Cost Center", None),
        ),
        bucket="client-bucket",
        account="121212121212",
        period_start=date(2023, 12, 1),
        period_end=date(2024, 1, 1),
        report_name="r",
        compression="GZIP",
    )


def test_a_data_exports_manifest_is_read_and_tells_no_period() -> None:
    assert parse_manifest(data_export()) == Manifest(
        kind=KeyLayout.DATA_EXPORT,
        snapshot_id="9b6b32ef-2b70-3d10-9448-07e23ebce6b9",
        data_keys=("p//focus/data/billing_period=2026-05/focus-00001.csv.gz",),
        columns=(ManifestColumn("BilledCost", "double"), ManifestColumn("Tags", "map")),
        bucket="client-bucket",
        account="111122223333",
        export_arn=ARN,
    )


def test_columns_of_a_legacy_parquet_report_hold_their_category_already() -> None:
    columns = [{"category": "identity", "name": "identity_line_item_id", "type": "STRING"}]
    manifest = parse_manifest(legacy(compression="Parquet", columns=columns))
    assert manifest.columns == (ManifestColumn("identity_line_item_id", "STRING"),)


def test_a_key_that_begins_with_a_slash_keeps_it() -> None:
    address = "s3://client-bucket//focus/data/billing_period=2026-05/focus-00001.csv.gz"
    manifest = parse_manifest(data_export(dataFiles=[address]))
    assert manifest.data_keys == ("/focus/data/billing_period=2026-05/focus-00001.csv.gz",)


def test_the_chinese_partition_and_other_regions_have_exports_too() -> None:
    arn = "arn:aws-cn:bcm-data-exports:cn-northwest-1:111122223333:export/e-1"
    assert parse_manifest(data_export(exportArn=arn)).account == "111122223333"


def test_a_delivery_of_no_files_is_a_delivery() -> None:
    assert parse_manifest(legacy(reportKeys=[])).data_keys == ()
    empty = parse_manifest(data_export(dataFiles=[]))
    assert (empty.data_keys, empty.bucket) == ((), None)


def test_fields_that_aws_may_add_later_are_no_fault() -> None:
    assert parse_manifest(data_export(timePeriod={"start": 1})) == parse_manifest(data_export())
