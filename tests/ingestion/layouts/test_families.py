"""Export families, told by columns as real files spell them."""

import pytest

from ingestion.layouts.families import Family, family_of

LEGACY_PARQUET = [
    "identity_line_item_id",
    "line_item_unblended_cost",
    "product_sku",
    "resource_tags_user_team",
]
CUR_2_0 = ["identity_line_item_id", "line_item_unblended_cost", "product_sku", "resource_tags", "product"]
FOCUS = ["BilledCost", "ChargePeriodStart", "Tags"]


@pytest.mark.parametrize(
    ("columns", "family"),
    [
        (["identity/LineItemId", "lineItem/UnblendedCost"], Family.LEGACY_CUR),
        (["lineItem/UnblendedCost"], Family.LEGACY_CUR),
        (LEGACY_PARQUET, Family.LEGACY_CUR),
        (CUR_2_0, Family.CUR_2_0),
        ([*FOCUS, "InvoiceId"], Family.FOCUS_1_2),
        ([*FOCUS, "SkuMeter"], Family.FOCUS_1_2),
        ([*FOCUS, "BillingAccountType"], Family.FOCUS_1_2),
        ([*FOCUS, "x_UsageType"], Family.FOCUS_1_0),
        ([*FOCUS, "x_CostCategories"], Family.FOCUS_1_0),
        (FOCUS, Family.FOCUS),  # 1.0, its preview and 1.2 all have these
        (["recommendation_id", "action_type", "region"], Family.RECOMMENDATIONS),
        (["usage_period_start", "total_mbm_emissions_value"], Family.CARBON),
    ],
)
def test_columns_alone_tell_the_family(columns: list[str], family: Family) -> None:
    assert family_of(columns) is family


@pytest.mark.parametrize(
    "columns",
    [
        [],
        ["BilledCost"],
        ["identity_line_item_id", "line_item_unblended_cost"],  # both generations of CUR have these
        [*LEGACY_PARQUET, "resource_tags"],
        ["InvoiceID", "PayerAccountId", "RecordType"],
    ],
)
def test_columns_that_settle_nothing_are_unknown(columns: list[str]) -> None:
    assert family_of(columns) is Family.UNKNOWN


def test_the_key_layout_settles_which_generation_of_cur_a_file_is() -> None:
    columns = ["identity_line_item_id", "line_item_unblended_cost"]
    assert family_of(columns, "legacy_cur") is Family.LEGACY_CUR
    assert family_of(columns, "data_export") is Family.CUR_2_0


def test_a_legacy_report_of_few_columns_is_still_one() -> None:
    assert family_of(["bill/InvoiceId"], "legacy_cur") is Family.LEGACY_CUR


def test_a_clients_own_files_are_generic_whatever_their_columns() -> None:
    assert family_of(["when", "what", "how much"], "generic") is Family.GENERIC
    assert family_of(FOCUS, "generic") is Family.GENERIC


def test_a_data_export_of_a_few_columns_may_stay_unknown() -> None:
    assert family_of(["bill_invoice_id"], "data_export") is Family.UNKNOWN
