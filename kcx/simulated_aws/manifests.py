"""The manifests AWS writes beside an export's files, from what the files themselves say."""

import csv
import hashlib
import io
import json
import re
import uuid
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from kcx.simulated_aws.exports import ExportSpec
from kcx.simulated_aws.tables.encode import csv_of
from kcx.simulated_aws.tables.usage import month_bounds

_CATEGORIES = {
    "line_item": "lineItem",
    "savings_plan": "savingsPlan",
    "split_line_item": "splitLineItem",
    "resource_tags": "resourceTags",
    "cost_category": "costCategory",
}
_COMPRESSION = {
    "csv.gz": ("GZIP", "text/csv"),
    "csv.zip": ("ZIP", "text/csv"),
    "snappy.parquet": ("Parquet", "Parquet"),
}
_CSV_TYPES = (
    (re.compile(r".*/TimeInterval"), "Interval"),
    (re.compile(r"(bill|lineItem)/.*Date"), "DateTime"),
    (re.compile(r"lineItem/.*(Cost|Amount)"), "BigDecimal"),
    (re.compile(r".*(Cost|Factor|Quantity)"), "OptionalBigDecimal"),
    (re.compile(r"(identity|bill|lineItem)/.*"), "String"),
)


def legacy_manifest(
    export: ExportSpec,
    period: date,
    assembly_id: str,
    keys: tuple[str, ...],
    first_part: bytes,
    *,
    account: str,
    bucket: str,
) -> bytes:
    """A legacy CUR's manifest: bare keys, and the period in AWS's own spelling, its end exclusive."""
    start, end = month_bounds(period)
    compression, content_type = _COMPRESSION[export.format]
    manifest = {
        "assemblyId": assembly_id,
        "account": account,
        "columns": [_legacy_column(name, kind) for name, kind in columns_of(first_part)],
        "charset": "UTF-8",
        "compression": compression,
        "contentType": content_type,
        "reportId": hashlib.sha256(f"{account}/{export.name}".encode()).hexdigest(),
        "reportName": export.name,
        "billingPeriod": {"start": f"{start:%Y%m%dT%H%M%S}.000Z", "end": f"{end:%Y%m%dT%H%M%S}.000Z"},
        "bucket": bucket,
        "reportKeys": keys,
        "additionalArtifactKeys": [],
    }
    return json.dumps(manifest, indent=2).encode()


def data_exports_manifest(
    export: ExportSpec,
    execution_id: str,
    keys: tuple[str, ...],
    first_part: bytes,
    *,
    account: str,
    bucket: str,
) -> bytes:
    """A Data Exports manifest: full s3:// addresses, and no period (that is in the path)."""
    export_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{account}/{export.root}{export.name}")
    manifest = {
        "executionId": execution_id,
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{account}:export/{export.name}-{export_id}",
        "columns": [{"name": name, "type": kind or "string"} for name, kind in columns_of(first_part)],
        "dataFiles": [f"s3://{bucket}/{key}" for key in keys],
        "additionalOutputFiles": [],
    }
    return json.dumps(manifest, indent=2).encode()


def columns_of(part: bytes) -> list[tuple[str, str | None]]:
    """The columns of a file, with their types in AWS's words; CSV says nothing of types (None)."""
    if part.startswith(b"PAR1"):
        schema = pq.read_schema(pa.BufferReader(part))
        return [(field.name, _parquet_type(field.type)) for field in schema]
    text = io.StringIO(csv_of(part).decode(), newline="")
    return [(name, None) for name in next(csv.reader(text))]


def _parquet_type(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return "map"
    if pa.types.is_timestamp(kind):
        return "timestamp_milliseconds"
    return "double" if pa.types.is_floating(kind) else "string"


def _legacy_column(name: str, kind: str | None) -> dict[str, str]:
    if kind is None:
        category, _, rest = name.partition("/")
        matching = (text for pattern, text in _CSV_TYPES if pattern.fullmatch(name))
        return {"category": category, "name": rest, "type": next(matching, "OptionalString")}
    prefix = next((prefix for prefix in _CATEGORIES if name.startswith(prefix)), name.partition("_")[0])
    word = "timestamp" if kind.startswith("timestamp") else kind
    return {"category": _CATEGORIES.get(prefix, prefix), "name": name, "type": word.upper()}
