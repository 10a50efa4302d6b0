"""Builders of manifests as AWS writes them, with any field changed."""

import json
from typing import Any

ARN = "arn:aws:bcm-data-exports:us-east-1:111122223333:export/focus-00000000-0000-0000-0000-000000000000"
MISSING = object()  # the value of a field to leave out


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
