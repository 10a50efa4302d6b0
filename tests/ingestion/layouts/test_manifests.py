"""Manifests as AWS writes them, and shapes it never wrote."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.errors import IngestionError
from ingestion.layouts.errors import BadManifest
from ingestion.layouts.facts import KeyLayout
from ingestion.layouts.manifests import MAX_BYTES, Manifest, ManifestColumn, parse_manifest

ARN = "arn:aws:bcm-data-exports:us-east-1:111122223333:export/focus-00000000-0000-0000-0000-000000000000"
MISSING = object()


def legacy(**changed: Any) -> bytes:
    return _json(
        {
            "assemblyId": "20220503T120125Z",
            "account": "121212121212",
            "columns": [
                {"category": "identity", "name": "LineItemId", "type": "String"},
                {"category": "resourceTags", "name": "user:Cost Center"},
            ],
            "charset": "UTF-8",
            "compression": "GZIP",
            "contentType": "text/csv",
            "reportId": "abc123",
            "reportName": "r",
            "billingPeriod": {"start": "20231201T000000.000Z", "end": "20240101T000000.000Z"},
            "bucket": "client-bucket",
            "reportKeys": ["/r/20231201-20240101/a1/r-2.csv.gz", "/r/20231201-20240101/a1/r-1.csv.gz"],
            "additionalArtifactKeys": [{"artifactType": "RedshiftCommands", "name": "x.sql"}],
        },
        changed,
    )


def data_export(**changed: Any) -> bytes:
    return _json(
        {
            "executionId": "9b6b32ef-2b70-3d10-9448-07e23ebce6b9",
            "exportArn": ARN,
            "columns": [{"name": "BilledCost", "type": "double"}, {"name": "Tags", "type": "map"}],
            "dataFiles": ["s3://client-bucket/p//focus/data/billing_period=2026-05/focus-00001.csv.gz"],
            "additionalOutputFiles": [],
        },
        changed,
    )


def _json(fields: dict[str, Any], changed: dict[str, Any]) -> bytes:
    fields |= changed
    return json.dumps({name: value for name, value in fields.items() if value is not MISSING}).encode()


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


def test_a_bad_manifest_is_an_error_of_the_one_tree_that_no_retry_mends() -> None:
    assert issubclass(BadManifest, IngestionError)
    assert (BadManifest.code, BadManifest.transient) == ("bad_manifest", False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("assemblyId", ""),
        ("assemblyId", "a" * 257),
        ("assemblyId", "a\0b"),
        ("account", "payer"),
        ("account", 121212121212),
        ("columns", {"identity": "LineItemId"}),
        ("columns", ["identity/LineItemId"]),
        ("columns", [{"name": "LineItemId"}]),
        ("columns", [{"category": "identity"}]),
        ("columns", [{"category": "identity", "name": "LineItemId", "type": 1}]),
        ("charset", "UTF-16"),
        ("compression", "ZSTD"),
        ("compression", MISSING),
        ("reportName", None),
        ("billingPeriod", "2023-12"),
        ("billingPeriod", {"start": "20231201T000000.000Z"}),
        ("billingPeriod", {"start": "2023-12-01T00:00:00Z", "end": "20240101T000000.000Z"}),
        ("billingPeriod", {"start": "20231301T000000.000Z", "end": "20240101T000000.000Z"}),
        ("bucket", MISSING),
        ("reportKeys", "r-1.csv.gz"),
        ("reportKeys", [{"key": "r-1.csv.gz"}]),
        ("reportKeys", ["r-1.csv.gz", None]),
        ("reportKeys", ["s3://client-bucket/r-1.csv.gz"]),
        ("reportKeys", ["r-1.csv.gz", "r-1.csv.gz"]),
        ("reportKeys", ["r-\ud800.csv.gz"]),
    ],
)
def test_a_legacy_manifest_of_unknown_shape_is_refused_by_the_field(field: str, value: Any) -> None:
    with pytest.raises(BadManifest, match=field):
        parse_manifest(legacy(**{field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("executionId", 7),
        ("exportArn", None),
        ("exportArn", "arn:aws:cur:us-east-1:111122223333:definition/r"),
        ("columns", MISSING),
        ("columns", [["BilledCost", "double"]]),
        ("dataFiles", {"0": "s3://client-bucket/e-00001.csv.gz"}),
        ("dataFiles", [{"key": "e-00001.csv.gz"}]),
        ("dataFiles", [{"path": "e-00001.csv.gz"}]),
        ("dataFiles", [{"uri": "s3://client-bucket/e-00001.csv.gz"}]),
        ("dataFiles", ["e-00001.csv.gz"]),
        ("dataFiles", ["/e-00001.csv.gz"]),
        ("dataFiles", ["s3://client-bucket"]),
        ("dataFiles", ["s3://client-bucket/"]),
        ("dataFiles", ["s3:///e-00001.csv.gz"]),
        ("dataFiles", ["s3://client-bucket/e-00001.csv.gz"] * 2),
        ("dataFiles", ["s3://client-bucket/e-00001.csv.gz", "s3://another/e-00002.csv.gz"]),
    ],
)
def test_a_data_exports_manifest_of_unknown_shape_is_refused_by_the_field(field: str, value: Any) -> None:
    with pytest.raises(BadManifest, match=field):
        parse_manifest(data_export(**{field: value}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\xfd",
        b"<Error/>",
        b"[]",
        b"{}",
        legacy()[:-1],
        b"[" * 100_000,
        b'{"account": ' + b"9" * 5000 + b"}",
        json.dumps(json.loads(legacy()) | json.loads(data_export())).encode(),
    ],
    ids=["empty", "binary", "xml", "list", "bare", "cut", "deep", "huge-number", "both-kinds"],
)
def test_bytes_that_are_no_manifest_are_refused(body: bytes) -> None:
    with pytest.raises(BadManifest):
        parse_manifest(body)


def test_a_manifest_over_the_cap_is_refused_unread() -> None:
    assert parse_manifest(legacy().ljust(MAX_BYTES)) == parse_manifest(legacy())
    with pytest.raises(BadManifest, match=str(MAX_BYTES)):
        parse_manifest(legacy().ljust(MAX_BYTES + 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.sampled_from([legacy, data_export]), st.data())
def test_any_value_in_any_field_is_read_or_refused_but_nothing_else(build: Any, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(json.loads(build()))))
    try:
        assert isinstance(parse_manifest(build(**{field: data.draw(JSON)})), Manifest)
    except BadManifest as refused:
        assert field in str(refused)
