"""What the manifests of simulated deliveries say."""

import gzip
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq

from kcx.simulated_aws.exports import ExportSpec, Family, Mode

MAY = date(2026, 5, 1)
AT = datetime(2026, 5, 20, 12, 0, 10, tzinfo=UTC)
CSV = [gzip.compress(b"identity/LineItemId,lineItem/UnblendedCost\n1,2\n")] * 2


def parquet(rows=1):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"line_item_line_item_type": ["Usage"] * rows, "pricing_x": [1.5] * rows}), sink)
    return sink.getvalue().to_pybytes()


def legacy(mode, fmt="csv.gz"):
    return ExportSpec("cost/", "daily", Family.LEGACY_CUR, mode, fmt)


def test_a_legacy_manifest_lists_bare_keys_and_an_exclusive_end(billing, acme):
    done = billing.deliver(legacy(Mode.OVERWRITE), MAY, CSV, at=AT)
    manifest = json.loads(acme.read_object(done.manifest_keys[-1]))
    assert len(manifest.pop("reportId")) == 64
    assert manifest == {
        "assemblyId": done.snapshot_id,
        "account": "210987654321",
        "columns": [
            {"category": "identity", "name": "LineItemId", "type": "String"},
            {"category": "lineItem", "name": "UnblendedCost", "type": "BigDecimal"},
        ],
        "charset": "UTF-8",
        "compression": "GZIP",
        "contentType": "text/csv",
        "reportName": "daily",
        "billingPeriod": {"start": "20260501T000000.000Z", "end": "20260601T000000.000Z"},
        "bucket": "acme-billing",
        "reportKeys": list(done.data_keys),
        "additionalArtifactKeys": [],
    }


def test_a_legacy_parquet_manifest_has_its_own_column_names_and_types(billing, acme):
    done = billing.deliver(legacy(Mode.CREATE_NEW, "snappy.parquet"), MAY, [parquet()], at=AT)
    manifest = json.loads(acme.read_object(done.manifest_keys[-1]))
    assert (manifest["compression"], manifest["contentType"]) == ("Parquet", "Parquet")
    assert manifest["columns"] == [
        {"category": "lineItem", "name": "line_item_line_item_type", "type": "STRING"},
        {"category": "pricing", "name": "pricing_x", "type": "DOUBLE"},
    ]


def test_a_data_exports_manifest_lists_full_addresses_and_no_period(billing, acme):
    export = ExportSpec("cost/", "e", Family.FOCUS_1_2, Mode.OVERWRITE, "snappy.parquet")
    done = billing.deliver(export, MAY, [parquet()], at=AT)
    manifest = json.loads(acme.read_object(done.manifest_keys[-1]))
    assert manifest.pop("exportArn").startswith("arn:aws:bcm-data-exports:us-east-1:210987654321:export/e-")
    assert manifest == {
        "executionId": done.snapshot_id,
        "columns": [
            {"name": "line_item_line_item_type", "type": "string"},
            {"name": "pricing_x", "type": "double"},
        ],
        "dataFiles": ["s3://acme-billing/cost/e/data/billing_period=2026-05/e-00001.snappy.parquet"],
        "additionalOutputFiles": [],
    }
