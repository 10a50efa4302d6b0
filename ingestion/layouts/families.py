"""Which kind of billing data a file holds, told by its column names."""

from collections.abc import Collection
from enum import StrEnum

from ingestion.layouts.facts import KeyLayout


class Family(StrEnum):
    """Export families; UNKNOWN is an answer: a client's SELECT may leave every telling column out."""

    LEGACY_CUR = "legacy_cur"
    CUR_2_0 = "cur_2_0"
    FOCUS_1_0_PREVIEW = "focus_1_0_preview"
    FOCUS_1_0 = "focus_1_0"
    FOCUS_1_2 = "focus_1_2"
    RECOMMENDATIONS = "recommendations"
    CARBON = "carbon"
    GENERIC = "generic"
    UNKNOWN = "unknown"


def family_of(columns: Collection[str], key_layout: str) -> Family:
    """The family of a file with these columns that was found in this key layout."""
    names = set(columns)
    if key_layout == KeyLayout.GENERIC:
        return Family.GENERIC
    if key_layout == KeyLayout.LEGACY_CUR:
        return Family.LEGACY_CUR
    if {"BilledCost", "ChargePeriodStart"} <= names:
        return _focus_version(names)
    if "identity_line_item_id" in names or any(name.startswith("line_item_") for name in names):
        return Family.CUR_2_0
    return Family.UNKNOWN


def _focus_version(names: set[str]) -> Family:
    if names & {"BillingAccountType", "InvoiceId", "SkuMeter"}:
        return Family.FOCUS_1_2
    return Family.FOCUS_1_0 if names & {"x_UsageType", "x_CostCategories"} else Family.FOCUS_1_0_PREVIEW
