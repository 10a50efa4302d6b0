"""A manifest's bytes -> the delivery it lists, told apart by what it says and not by where it lies."""

import json
import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from ingestion.layouts.errors import BadManifest
from ingestion.layouts.facts import KeyLayout
from ingestion.layouts.segments import Period, month

# A real manifest of 99 columns has 8 KB; ten thousand keys of the greatest length would have 10 MB.
MAX_BYTES = 16 * 1024**2
COMPRESSIONS = {"GZIP", "ZIP", "Parquet"}
MIDNIGHT = re.compile(r"([0-9]{4})([0-9]{2})[0-9]{2}T000000\.000Z")
EXPORT_ARN = re.compile(r"arn:aws[-a-z0-9]*:bcm-data-exports:[-a-z0-9]*:([0-9]{1,20}):export/[^/]+")


@dataclass(frozen=True, slots=True)
class ManifestColumn:
    """A column as the file's header spells it; AWS leaves some types out."""

    name: str
    type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """All that a manifest tells; what its kind never tells is None.

    `data_keys` are bare and exact keys, in AWS's order; `bucket` is the one AWS delivered to, and
    another than the listed one after a replication. `period_end` is exclusive.
    """

    kind: KeyLayout
    snapshot_id: str
    data_keys: tuple[str, ...]
    columns: tuple[ManifestColumn, ...]
    bucket: str | None
    account: str | None
    period_start: date | None = None
    period_end: date | None = None
    export_arn: str | None = None
    report_name: str | None = None
    compression: str | None = None


def parse_manifest(body: bytes) -> Manifest:
    """The manifest in these bytes. Raises BadManifest, naming the field, for a shape AWS never writes."""
    fields = _fields(body)
    legacy = {"assemblyId", "reportKeys"} <= fields.keys()
    if legacy == ({"executionId", "dataFiles"} <= fields.keys()):
        raise BadManifest(
            "The manifest must hold assemblyId and reportKeys, or executionId and dataFiles, and not both."
        )
    return _legacy(fields) if legacy else _data_export(fields)


def _fields(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_BYTES:
        raise BadManifest(f"The manifest has {len(body)} bytes, more than {MAX_BYTES}.")
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadManifest("The manifest is not JSON.") from error
    if not isinstance(fields, dict):
        raise BadManifest("The manifest is not a JSON object.")
    return fields


def _legacy(fields: dict[str, Any]) -> Manifest:
    compression = _one_of(fields, "compression", COMPRESSIONS)
    if "charset" in fields:
        _one_of(fields, "charset", {"UTF-8"})
    period = _billing_period(fields.get("billingPeriod"))
    return Manifest(
        kind=KeyLayout.LEGACY_CUR,
        snapshot_id=_snapshot_id(fields, "assemblyId"),
        data_keys=_distinct([_bare_key(value) for value in _list(fields, "reportKeys")], "reportKeys"),
        columns=tuple(_legacy_column(entry, compression) for entry in _list(fields, "columns")),
        bucket=_text(fields.get("bucket"), "bucket"),
        account=_matching(r"[0-9]{1,20}", fields.get("account"), "account")[0],
        period_start=period.start,
        period_end=period.end,
        report_name=_text(fields.get("reportName"), "reportName"),
        compression=compression,
    )


def _data_export(fields: dict[str, Any]) -> Manifest:
    arn = _matching(EXPORT_ARN, fields["exportArn"], "exportArn") if "exportArn" in fields else None
    addresses = [_address(value) for value in _list(fields, "dataFiles")]
    buckets = {bucket for bucket, _ in addresses}
    if len(buckets) > 1:
        raise BadManifest("The manifest's dataFiles are in more than one bucket.")
    return Manifest(
        kind=KeyLayout.DATA_EXPORT,
        snapshot_id=_snapshot_id(fields, "executionId"),
        data_keys=_distinct([key for _, key in addresses], "dataFiles"),
        columns=tuple(_column(entry) for entry in _list(fields, "columns")),
        bucket=next(iter(buckets), None),
        account=arn[1] if arn else None,
        export_arn=arn[0] if arn else None,
    )


def _bare_key(value: object) -> str:
    key = _text(value, "reportKeys")
    if key.startswith("s3://"):
        raise BadManifest("The manifest's reportKeys hold an address where AWS writes a bare key.")
    return key


def _address(value: object) -> tuple[str, str]:
    """`s3://bucket/key` -> bucket and key; the key is what follows the one slash, exactly."""
    found = _matching(re.compile(r"s3://([^/]+)/(.+)", re.DOTALL), value, "dataFiles")
    return found[1], found[2]


def _distinct(keys: list[str], field: str) -> tuple[str, ...]:
    if len(set(keys)) < len(keys):
        raise BadManifest(f"The manifest's {field} name a file twice.")
    return tuple(keys)


def _legacy_column(entry: object, compression: str) -> ManifestColumn:
    """Parquet's column names hold the category already; a CSV header spells `category/name`."""
    column = _column(entry)
    category = _text(entry.get("category") if isinstance(entry, dict) else None, "columns.category")
    return column if compression == "Parquet" else ManifestColumn(f"{category}/{column.name}", column.type)


def _column(entry: object) -> ManifestColumn:
    if not isinstance(entry, dict):
        raise BadManifest("The manifest's columns must be objects.")
    kind = entry.get("type")
    return ManifestColumn(
        _text(entry.get("name"), "columns.name"), None if kind is None else _text(kind, "columns.type")
    )


def _billing_period(value: object) -> Period:
    """From its start only, as everywhere; but an end must be there."""
    if not isinstance(value, dict):
        raise BadManifest("The manifest's billingPeriod must be an object.")
    start = _matching(MIDNIGHT, value.get("start"), "billingPeriod.start")
    _matching(MIDNIGHT, value.get("end"), "billingPeriod.end")
    period = month(start[1], start[2])
    if period is None:
        raise BadManifest("The manifest's billingPeriod.start is in no month of the calendar.")
    return period


def _snapshot_id(fields: dict[str, Any], field: str) -> str:
    """Opaque; a delivery's row has room for 256 characters."""
    return _matching(re.compile(r".{1,256}", re.DOTALL), fields[field], field)[0]


def _one_of(fields: dict[str, Any], field: str, known: set[str]) -> str:
    value = _text(fields.get(field), field)
    if value not in known:
        raise BadManifest(f"The manifest's {field} is none of {', '.join(sorted(known))}.")
    return value


def _list(fields: dict[str, Any], field: str) -> list[Any]:
    value = fields.get(field)
    if not isinstance(value, list):
        raise BadManifest(f"The manifest's {field} must be a list.")
    return value


def _matching(pattern: str | re.Pattern[str], value: object, field: str) -> re.Match[str]:
    found = re.fullmatch(pattern, _text(value, field))
    if found is None:
        raise BadManifest(f"The manifest's {field} is not written as AWS writes it.")
    return found


def _text(value: object, field: str) -> str:
    """Text that PostgreSQL can hold and S3 can have sent: not empty, no NUL, no half of a surrogate pair."""
    if not isinstance(value, str) or not value:
        raise BadManifest(f"The manifest's {field} must be text.")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise BadManifest(f"The manifest's {field} holds a character that no text may hold.")
    return value
