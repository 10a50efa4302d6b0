"""Manifests of shapes AWS never wrote: each is refused, by the name of its field."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.deliveries.entering import enter
from ingestion.deliveries.manifest_objects import ListedManifest
from ingestion.errors import IngestionError
from ingestion.exports import learn
from ingestion.layouts.errors import BadManifest
from ingestion.layouts.keys import classify
from ingestion.layouts.manifests import MAX_BYTES, parse_manifest
from ingestion.pipeline.list_files import RemoteFile
from tests.ingestion.layouts.manifest_bodies import ARN, MISSING, data_export, legacy
from tests.ingestion.registered import a_connection, an_export


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
        ("account", "1" * 21),
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
        ("exportArn", ARN.replace("111122223333", "1" * 21)),
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


LONG = st.builds(str.__mul__, st.text(min_size=1, max_size=3), st.integers(1, 300))
VALUES = JSON | LONG | st.text("0123456789", min_size=18, max_size=30)
LISTED = ListedManifest(
    RemoteFile("r/20231201-20240101/r-Manifest.json", '"m"', 1, datetime(2026, 3, 1, tzinfo=UTC), "STANDARD"),
    classify("r/20231201-20240101/r-Manifest.json"),
)


@pytest.mark.django_db
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([legacy, data_export]), st.data())
def test_any_value_in_any_field_is_read_and_stored_or_refused_but_nothing_else(
    build: Any, data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(json.loads(build()))))
    told = field
    try:
        manifest = parse_manifest(build(**{field: data.draw(VALUES)}))
    except BadManifest as refused:
        told = str(refused)
    else:
        with transaction.atomic():
            export = an_export(a_connection())
            learn(export, manifest, LISTED.file.last_modified)
            columns = [column.name for column in manifest.columns]
            enter(LISTED, export, manifest.snapshot_id, manifest.data_keys, columns)
            transaction.set_rollback(True)
    assert field in told
