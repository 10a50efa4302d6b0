"""Keys AWS writes, and keys that only look so."""

from datetime import date

import pytest

from ingestion.layouts.keys import KeyFacts, KeyLayout, Kind, classify

# Number, key, layout, kind, mode, scope, name, period, snapshot id: real, documented and constructed keys.
VECTORS = [
    (
        1,
        "billing-path/sample-report/20170701-20170801/ea74f90b-e82f-9c72-fab6-abc716793752/sample-report-1.csv.gz",
        "legacy_cur",
        "data",
        "create_new",
        None,
        "sample-report",
        "2017-07",
        "ea74f90b-e82f-9c72-fab6-abc716793752",
    ),
    (
        2,
        "billing-path/sample-report/20170701-20170801/ea74f90b-e82f-9c72-fab6-abc716793752/sample-report-2.csv.gz",
        "legacy_cur",
        "data",
        "create_new",
        None,
        "sample-report",
        "2017-07",
        "ea74f90b-e82f-9c72-fab6-abc716793752",
    ),
    (
        4,
        "quicksight/test-quicksight/20180501-20180601/afe8b092-dc87-405a-a0b7-fc743e14adff/test-quicksight-RedshiftCommands.sql",
        "legacy_cur",
        "helper",
        None,
        None,
        "test-quicksight",
        "2018-05",
        "afe8b092-dc87-405a-a0b7-fc743e14adff",
    ),
    (
        5,
        "quicksight/test-quicksight/20180501-20180601/afe8b092-dc87-405a-a0b7-fc743e14adff/test-quicksight-RedshiftManifest.json",
        "legacy_cur",
        "helper",
        None,
        None,
        "test-quicksight",
        "2018-05",
        "afe8b092-dc87-405a-a0b7-fc743e14adff",
    ),
    (
        7,
        "quicksight/test-quicksight/20180501-20180601/test-quicksight-Manifest.json",
        "legacy_cur",
        "manifest",
        None,
        "current",
        "test-quicksight",
        "2018-05",
        None,
    ),
    (
        8,
        "hourly/hourly-cost-and-usage/20170801-20170901/abcdefgh-e98d-48d6-86b4-29967358fe6c/hourly-cost-and-usage-01.csv.gz",
        "legacy_cur",
        "data",
        "create_new",
        None,
        "hourly-cost-and-usage",
        "2017-08",
        "abcdefgh-e98d-48d6-86b4-29967358fe6c",
    ),
    (
        10,
        "parquet/test-managment-cur/20220401-20220501/20220503T120125Z/test-managment-cur-00001.snappy.parquet",
        "legacy_cur",
        "data",
        "create_new",
        None,
        "test-managment-cur",
        "2022-04",
        "20220503T120125Z",
    ),
    (
        11,
        "parquet/test-managment-cur/20220401-20220501/20220405T034639Z/test-managment-cur-Manifest.json",
        "legacy_cur",
        "manifest",
        "create_new",
        "snapshot",
        "test-managment-cur",
        "2022-04",
        "20220405T034639Z",
    ),
    (
        13,
        "parquet/test-managment-cur/1223/1233/test-managment-cur-Manifest.json",
        "none",
        "ignored",
        None,
        None,
        None,
        None,
        None,
    ),
    (
        14,
        "example-prefix/example-report/20160101-20160131/123456789/example-report-3.csv.zip",
        "legacy_cur",
        "data",
        "create_new",
        None,
        "example-report",
        "2016-01",
        "123456789",
    ),
    (
        16,
        "/koku/20220801-20220901/koku-Manifest.json",
        "legacy_cur",
        "manifest",
        None,
        "current",
        "koku",
        "2022-08",
        None,
    ),
    (
        17,
        "/tagged/20190401-20190501/63a889af-d149-4f77-a0ec-8eea59bb9801/April-2019-tagged.csv.gz",
        "legacy_cur",
        "unlisted",
        None,
        None,
        "tagged",
        "2019-04",
        "63a889af-d149-4f77-a0ec-8eea59bb9801",
    ),
    (
        19,
        "exports/aws/cur-hourly/20250601-20250701/6bddec29-6df2-44f6-8dc5-7d849782a82a/June-2025-cur-hourly-1.csv.gz",
        "legacy_cur",
        "unlisted",
        None,
        None,
        "cur-hourly",
        "2025-06",
        "6bddec29-6df2-44f6-8dc5-7d849782a82a",
    ),
    (20, "p/r/20240301-20240401/r-1.csv.zip", "legacy_cur", "data", "overwrite", None, "r", "2024-03", None),
    (
        22,
        "p/r/20240301-20240401/r-00002.csv.gz",
        "legacy_cur",
        "data",
        "overwrite",
        None,
        "r",
        "2024-03",
        None,
    ),
    (
        23,
        "p/r/20240301-20240401/r-Manifest.json",
        "legacy_cur",
        "manifest",
        None,
        "current",
        "r",
        "2024-03",
        None,
    ),
    (
        25,
        "p/20240101-report/20240301-20240401/20240101-report-1.csv.gz",
        "legacy_cur",
        "data",
        "overwrite",
        None,
        "20240101-report",
        "2024-03",
        None,
    ),
    (
        26,
        "cid/111122223333/cid/cid/year=2023/month=1/cid-00001.snappy.parquet",
        "legacy_cur",
        "data",
        "athena",
        None,
        "cid",
        "2023-01",
        None,
    ),
    (
        28,
        "billing/billing-report-20230608/billing-report-20230608/year=2023/month=6/billing-report-20230608-00001.snappy.parquet",
        "legacy_cur",
        "data",
        "athena",
        None,
        "billing-report-20230608",
        "2023-06",
        None,
    ),
    (
        29,
        "billing/billing-report-20230608/cost_and_usage_data_status/cost_and_usage_data_status.parquet",
        "legacy_cur",
        "status",
        None,
        None,
        "billing-report-20230608",
        None,
        None,
    ),
    (
        31,
        "billing/billing-report-20230608/20230601-20230701/billing-report-20230608-create-table.sql",
        "legacy_cur",
        "helper",
        None,
        None,
        "billing-report-20230608",
        "2023-06",
        None,
    ),
    (
        32,
        "billing/billing-report-20230608/20230601-20230701/billing-report-20230608-Manifest.json",
        "legacy_cur",
        "manifest",
        None,
        "current",
        "billing-report-20230608",
        "2023-06",
        None,
    ),
    (34, "r/r/r/20181201-20190101/crawler-cfn.yml", "legacy_cur", "helper", None, None, "r", "2018-12", None),
    (
        35,
        "r/r/20181201-20190101/cost_and_usage_data_status",
        "legacy_cur",
        "status",
        None,
        None,
        "r",
        "2018-12",
        None,
    ),
    (
        37,
        "my-cur-files/business_group_a_cur/metadata/BILLING_PERIOD=2023-11/business_group_a_cur-Manifest.json",
        "data_export",
        "manifest",
        None,
        "current",
        "business_group_a_cur",
        "2023-11",
        None,
    ),
    (
        38,
        "my-cur-files/business_group_a_cur/metadata/BILLING_PERIOD=2023-11/Manifest.json",
        "data_export",
        "manifest",
        None,
        "current",
        "business_group_a_cur",
        "2023-11",
        None,
    ),
    (
        40,
        "cost//sample-data-export/data/BILLING_PERIOD=2024-05/sample-data-export-00001.csv.gz",
        "data_export",
        "data",
        "overwrite",
        None,
        "sample-data-export",
        "2024-05",
        None,
    ),
    (
        41,
        "cost//sample-data-export/data/BILLING_PERIOD=2024-05/2024-05-18T20:16:37.306Z-3695a728-d559-40bd-ac30-ffc97b552489/sample-data-export-00001.csv.gz",
        "data_export",
        "data",
        "create_new",
        None,
        "sample-data-export",
        "2024-05",
        "3695a728-d559-40bd-ac30-ffc97b552489",
    ),
    (
        43,
        "cur-2-0-daily-csv/data/BILLING_PERIOD=2025-03/cur-2-0-daily-csv-00003.csv.gz",
        "data_export",
        "data",
        "overwrite",
        None,
        "cur-2-0-daily-csv",
        "2025-03",
        None,
    ),
    (
        44,
        "cur2/123456789012/cid-cur2/data/BILLING_PERIOD=2026-01/cid-cur2-00012.snappy.parquet",
        "data_export",
        "data",
        "overwrite",
        None,
        "cid-cur2",
        "2026-01",
        None,
    ),
    (
        46,
        "focus/123456789/focus-1-0-preview-export/data/BILLING_PERIOD=2024-06/focus-1-0-preview-export-00003.snappy.parquet",
        "data_export",
        "data",
        "overwrite",
        None,
        "focus-1-0-preview-export",
        "2024-06",
        None,
    ),
    (
        47,
        "focus/123456789/focus-1-0-preview-export/metadata/BILLING_PERIOD=2024-06/focus-1-0-preview-export-Manifest.json",
        "data_export",
        "manifest",
        None,
        "current",
        "focus-1-0-preview-export",
        "2024-06",
        None,
    ),
    (
        49,
        "cloudbridgeFOCUS/cloudbridge/metadata/billing_period=2026-09/cloudbridge-Manifest.json",
        "data_export",
        "manifest",
        None,
        "current",
        "cloudbridge",
        "2026-09",
        None,
    ),
    (
        50,
        "prefix/CCOE-PRODAM-AWS/data/billing_period=2026-05/2026-06-01T23:48:02.356Z-9b6b32ef-2b70-3d10-9448-07e23ebce6b9/CCOE-PRODAM-AWS-00001.snappy.parquet",
        "data_export",
        "data",
        "create_new",
        None,
        "CCOE-PRODAM-AWS",
        "2026-05",
        "9b6b32ef-2b70-3d10-9448-07e23ebce6b9",
    ),
    (
        52,
        "reports/carbon-emissions/data/carbon_model_version=v3.0.0/usage_period=2024-03/carbon-emissions-00001.snappy.parquet",
        "data_export",
        "data",
        "overwrite",
        None,
        "carbon-emissions",
        "2024-03",
        None,
    ),
    (
        53,
        "123456789012-aws-billing-detailed-line-items-2017-06.csv.zip",
        "dbr",
        "data",
        "overwrite",
        None,
        "billing-detailed-line-items",
        "2017-06",
        None,
    ),
    (
        55,
        "615271354814-aws-billing-detailed-line-items-with-resources-and-tags-2016-05.csv.zip",
        "dbr",
        "data",
        "overwrite",
        None,
        "billing-detailed-line-items-with-resources-and-tags",
        "2016-05",
        None,
    ),
    (
        56,
        "123456789012-aws-cost-allocation-2017-06.csv",
        "dbr",
        "data",
        "overwrite",
        None,
        "cost-allocation",
        "2017-06",
        None,
    ),
    (58, "cur/aws-programmatic-access-test-object", "none", "test_object", None, None, None, None, None),
    (59, "test-object", "none", "test_object", None, None, None, None, None),
    (61, "athena-results/1234.csv", "none", "ignored", None, None, None, None, None),
    (62, "athena-results/1234.csv.metadata", "none", "ignored", None, None, None, None, None),
    (64, "p/e/data/BILLING_PERIOD=2024-13/e-00001.csv.gz", "none", "ignored", None, None, None, None, None),
]


@pytest.mark.parametrize("vector", VECTORS, ids=[str(vector[0]) for vector in VECTORS])
def test_a_known_key_is_told_apart(vector: tuple[str | None, ...]) -> None:
    _, key, layout, kind, mode, scope, name, period, snapshot = vector
    facts = classify(str(key))
    assert (facts.key_layout, facts.kind, facts.mode, facts.scope) == (layout, kind, mode, scope)
    assert (facts.name or None, facts.snapshot_id) == (name, snapshot)
    assert (f"{facts.period_start:%Y-%m}" if facts.period_start else None) == period


def generic(key: str) -> tuple[str, str] | None:
    facts = classify(key)
    return (facts.root, facts.name) if facts.key_layout is KeyLayout.GENERIC else None


def test_roots_are_exact_slashes_and_all() -> None:
    assert classify("/koku/20220801-20220901/koku-Manifest.json").root == "/"
    assert classify("cost//e/data/BILLING_PERIOD=2024-05/e-00001.csv.gz").root == "cost//"
    assert classify("e/data/BILLING_PERIOD=2024-05/e-00001.csv.gz").root == ""


def test_a_period_is_a_month_with_an_exclusive_end() -> None:
    facts = classify("p/r/20231201-20240101/r-1.csv.gz")
    assert (facts.period_start, facts.period_end) == (date(2023, 12, 1), date(2024, 1, 1))


@pytest.mark.parametrize("spelling", ["BILLING_PERIOD", "billing_period"])
def test_both_spellings_of_the_billing_period_are_read(spelling: str) -> None:
    facts = classify(f"p/e/data/{spelling}=2024-02/e-00007.snappy.parquet")
    assert (facts.period_start, facts.part, facts.format) == (date(2024, 2, 1), 7, "snappy.parquet")


def test_no_other_spelling_is() -> None:
    assert classify("p/e/data/Billing_Period=2024-02/e-00007.snappy.parquet").kind is Kind.IGNORED


def test_a_part_of_a_data_export_has_five_digits() -> None:
    assert classify("e/data/BILLING_PERIOD=2024-05/e-1.csv.gz").kind is Kind.UNLISTED
    assert classify("e/data/BILLING_PERIOD=2024-05/e-000001.csv.gz").kind is Kind.UNLISTED


def test_a_name_that_ends_like_a_part_keeps_its_number() -> None:
    facts = classify("p/report-1/20240301-20240401/report-1-12.csv.gz")
    assert (facts.name, facts.part) == ("report-1", 12)


def test_reports_that_are_not_billing_lines_say_so() -> None:
    assert not classify("p/coh/data/date=2024-03-15/coh-00001.snappy.parquet").is_billing
    assert not classify(
        "p/c/data/carbon_model_version=v3.0.0/usage_period=2024-03/c-00001.parquet"
    ).is_billing
    assert not classify("123456789012-aws-cost-allocation-2017-06.csv").is_billing
    assert classify("p/e/data/BILLING_PERIOD=2024-03/e-00001.csv.gz").is_billing


@pytest.mark.parametrize(
    "key",
    [
        "p/r/20241301-20250101/r-1.csv.gz",
        "p/r/00000101-00000201/r-1.csv.gz",
        "p/r/r/year=2024/month=13/r-00001.snappy.parquet",
        "p/e/data/date=2024-02-30/e-00001.csv.gz",
        "p/e/data/BILLING_PERIOD=2024-00/e-00001.csv.gz",
    ],
)
def test_a_month_that_no_calendar_has_is_no_billing_period(key: str) -> None:
    facts = classify(key)
    assert facts.period_start is None
    assert facts.key_layout in {KeyLayout.NONE, KeyLayout.GENERIC}


def test_a_name_longer_than_aws_allows_is_no_export() -> None:
    name = "n" * 257
    assert classify(f"p/{name}/20240301-20240401/{name}-1.csv.gz").key_layout is KeyLayout.NONE


def test_a_data_file_of_no_layout_belongs_to_its_folder() -> None:
    assert generic("exports/lines/one.csv.gz") == ("exports/", "lines")
    assert generic("one.parquet") == ("", "(top)")


def test_folders_that_divide_by_time_are_one_export() -> None:
    assert generic("exports/lines/2024/03/15/one.csv") == ("exports/", "lines")
    assert generic("exports/lines/year=2024/month=3/one.csv") == ("exports/", "lines")


@pytest.mark.parametrize(
    "key",
    [
        "AthenaResults/x.csv",
        "athena-query-results/2024/x.csv",
        "p/QueryLog/x.csv.gz",
        "p/inventory/data/x.csv.gz",
    ],
)
def test_what_tools_leave_in_a_bucket_is_not_billing_data(key: str) -> None:
    assert classify(key) == KeyFacts()


def test_a_folder_marker_is_a_folder() -> None:
    assert classify("exports/").kind is Kind.FOLDER
    assert classify("").kind is Kind.FOLDER
