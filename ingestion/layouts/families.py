"""Which kind of billing data a file holds, told by its column names."""

from collections.abc import Collection
from enum import StrEnum

from ingestion.layouts.facts import KeyLayout

FOCUS = {"BilledCost", "ChargePeriodStart"}
FOCUS_1_2 = {"BillingAccountType", "InvoiceId", "SkuMeter"}
FOCUS_1_0 = {"x_CostCategories", "x_UsageType"}
RECOMMENDATIONS = {"recommendation_id", "recommended_resource_summary"}
CARBON = {"total_lbm_emissions_value", "total_mbm_emissions_value"}
# CUR 2.0 keeps tags and the like in maps, where a legacy report has a column for each.
CUR_2_0 = {
    *("bill_payer_account_name", "line_item_usage_account_name"),
    *("cost_category", "discount", "product", "resource_tags"),
}
LEGACY_PARQUET = ("cost_category_", "resource_tags_")
LEGACY_CSV = ("identity/", "lineItem/")
BOTH_CURS = ("identity_line_item_id", "line_item_")


class Family(StrEnum):
    """Export families; UNKNOWN is an answer: a client's SELECT may leave every telling column out.

    FOCUS is one whose SELECT leaves out what tells its version. FOCUS 1.0 and its preview have the same
    columns, so column names never tell FOCUS_1_0_PREVIEW.
    """

    LEGACY_CUR = "legacy_cur"
    CUR_2_0 = "cur_2_0"
    FOCUS_1_0_PREVIEW = "focus_1_0_preview"
    FOCUS_1_0 = "focus_1_0"
    FOCUS_1_2 = "focus_1_2"
    FOCUS = "focus"
    RECOMMENDATIONS = "recommendations"
    CARBON = "carbon"
    GENERIC = "generic"
    UNKNOWN = "unknown"


def family_of(columns: Collection[str], key_layout: str | None = None) -> Family:
    """The family of a file with these columns; the key layout settles what the columns leave open."""
    names = set(columns)
    if key_layout == KeyLayout.GENERIC:
        return Family.GENERIC
    if key_layout == KeyLayout.LEGACY_CUR or _any_starts(names, LEGACY_CSV):
        return Family.LEGACY_CUR
    if names >= FOCUS:
        return _focus_version(names)
    if _any_starts(names, BOTH_CURS):
        return Family.CUR_2_0 if key_layout == KeyLayout.DATA_EXPORT else _cur_version(names)
    if names & RECOMMENDATIONS:
        return Family.RECOMMENDATIONS
    return Family.CARBON if names & CARBON else Family.UNKNOWN


def _focus_version(names: set[str]) -> Family:
    if names & FOCUS_1_2:
        return Family.FOCUS_1_2
    return Family.FOCUS_1_0 if names & FOCUS_1_0 else Family.FOCUS


def _cur_version(names: set[str]) -> Family:
    legacy, new = _any_starts(names, LEGACY_PARQUET), bool(names & CUR_2_0)
    if legacy == new:
        return Family.UNKNOWN
    return Family.LEGACY_CUR if legacy else Family.CUR_2_0


def _any_starts(names: Collection[str], prefixes: tuple[str, ...]) -> bool:
    return any(name.startswith(prefixes) for name in names)
