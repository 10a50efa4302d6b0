"""Real and third-party manifests, keys and headers, read from beside the repository."""

import csv
import json
from pathlib import Path

import pytest

from ingestion.layouts.families import Family, family_of
from ingestion.layouts.keys import Kind, Scope, classify
from ingestion.layouts.manifests import parse_manifest

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
NISE = DATA / "nise"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real billing files is not here"),
]


def test_a_real_legacy_manifest_of_csv_files_is_read() -> None:
    manifest = parse_manifest((DATA / "manifests/legacy-gzip-redshift-2018-05-Manifest.json").read_bytes())
    assert (manifest.report_name, len(manifest.columns), manifest.columns[0].name) == (
        "test-quicksight",
        99,
        "identity/LineItemId",
    )
    facts = classify(manifest.data_keys[0])
    assert (facts.snapshot_id, facts.period_start) == (manifest.snapshot_id, manifest.period_start)


def test_a_real_legacy_manifest_of_parquet_files_is_read() -> None:
    manifest = parse_manifest(
        (DATA / "manifests/legacy-parquet-createnew-2022-04-Manifest.json").read_bytes()
    )
    assert manifest.columns[0].name == "identity_line_item_id"
    facts = classify(manifest.data_keys[0])
    assert (facts.kind, facts.snapshot_id) == (Kind.DATA, manifest.snapshot_id)


def test_the_skeleton_of_a_real_data_exports_manifest_is_read() -> None:
    name = "dataexports-focus12-createnew-2026-05-Manifest.SKELETON.json"
    manifest = parse_manifest((DATA / "manifests" / name).read_bytes())
    facts = classify(manifest.data_keys[0])
    assert (manifest.bucket, facts.kind, facts.snapshot_id) == (
        "example-bucket",
        Kind.DATA,
        manifest.snapshot_id,
    )


def test_every_file_of_the_generated_bucket_is_a_manifest_or_listed_by_one() -> None:
    keys = [file.relative_to(NISE).as_posix() for file in NISE.rglob("*/*") if file.is_file()]
    facts = {key: classify(key) for key in keys}
    manifests = {key: parse_manifest((NISE / key).read_bytes()) for key in keys if key.endswith(".json")}
    listed = {data_key for manifest in manifests.values() for data_key in manifest.data_keys}
    assert {key for key in keys if facts[key].kind is Kind.UNLISTED} == listed
    assert {key for key in keys if facts[key].kind is Kind.MANIFEST} == manifests.keys()
    assert {entry["key"] for entry in json.loads((NISE / "GROUND_TRUTH.json").read_text())} == listed


def test_the_current_manifest_of_a_period_lists_one_of_its_snapshots() -> None:
    current, snapshots = {}, {}
    for file in NISE.rglob("*-Manifest.json"):
        facts, manifest = classify(file.relative_to(NISE).as_posix()), parse_manifest(file.read_bytes())
        assert (facts.period_start, facts.period_end) == (manifest.period_start, manifest.period_end)
        if facts.scope is Scope.CURRENT:
            current[facts.period_start] = manifest
        else:
            snapshots[facts.snapshot_id] = manifest
    assert len(current) == 2
    for manifest in current.values():
        assert snapshots[manifest.snapshot_id].data_keys == manifest.data_keys


@pytest.mark.parametrize(
    ("file", "family"),
    [
        ("cur/focus_converters/sample-anonymous-aws-export-dataset.csv", Family.LEGACY_CUR),
        ("cur/koku/2023-06-01-not-final.csv", Family.LEGACY_CUR),
        ("cur/koku/2022-07-01-alt-columns.csv", Family.LEGACY_CUR),
        ("focus/focus_sample_aws_only.csv", Family.FOCUS),  # AWS's own x_ columns were taken out of it
    ],
)
def test_the_header_of_a_real_file_tells_its_family(file: str, family: Family) -> None:
    with (DATA / file).open(newline="") as text:
        assert family_of(next(csv.reader(text))) is family
