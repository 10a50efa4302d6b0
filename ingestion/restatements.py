"""The restatement log: what a delivery changed against the one before it. No sums over the billing data."""

from typing import Any

from ingestion.models import Delivery, SourceFile


def compare(before: Delivery, after: Delivery) -> dict[str, Any]:
    """Files (by name) added, changed and gone, rows before and after, columns that came or went."""
    old, new = _by_name(before), _by_name(after)
    both = old.keys() & new.keys()
    old_columns, new_columns = _columns(old), _columns(new)
    return {
        "against_delivery": before.pk,
        "files_added": sorted(new.keys() - old.keys()),
        "files_changed": sorted(name for name in both if old[name].etag != new[name].etag),
        "files_gone": sorted(old.keys() - new.keys()),
        "rows_before": _rows(old),
        "rows_after": _rows(new),
        "columns_came": sorted(new_columns - old_columns),
        "columns_went": sorted(old_columns - new_columns),
    }


def _by_name(delivery: Delivery) -> dict[str, SourceFile]:
    """A new snapshot has a folder of its own: parts are the same by their file names."""
    return {file.key.rpartition("/")[2]: file for file in delivery.files.select_related("layout")}


def _rows(files: dict[str, SourceFile]) -> int:
    return sum(file.row_count or 0 for file in files.values())


def _columns(files: dict[str, SourceFile]) -> set[str]:
    return {name for file in files.values() if file.layout for name in file.layout.names}
