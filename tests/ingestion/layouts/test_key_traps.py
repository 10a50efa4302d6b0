"""Keys that look like one thing and are another."""

import pytest

from ingestion.layouts.keys import KeyFacts, KeyLayout, Kind, Mode, Scope, classify

EXECUTION = "2024-05-18T20:16:37.306Z-3695a728-d559-40bd-ac30-ffc97b552489"


@pytest.mark.parametrize(
    "key",
    [
        "p/e/data/date=2024-02-30/e-00001.csv.gz",
        "p/e/data/date=yesterday/e-00001.csv.gz",
        "p/e/data/Billing_Period=2024-02/e-00001.csv.gz",
        "p/e/metadata/billing_period=2024-00/x.csv",
        "p/e/data/carbon_model_version=v3/usage_period=2024-13/e-00001.snappy.parquet",
        "bad name/data/BILLING_PERIOD=2024-02/bad name-00001.csv.gz",
        "p/r/99999999-99999999/r-1.csv.gz",
        "p/r/20240301-20240401/a1/deeper/r-1.csv.gz",
        "r/r/year=2024/month=13/r-00001.snappy.parquet",
        "p/year=2024/month=0/x.parquet",
        "r/r/year=2024/month=1/copy-of-r.snappy.parquet",
        "123456789012-aws-billing-csv-2017-13.csv",
        "cost_and_usage_data_status/cost_and_usage_data_status.parquet",
    ],
)
def test_a_broken_key_of_aws_is_no_file_of_the_clients_own(key: str) -> None:
    assert classify(key) == KeyFacts()


@pytest.mark.parametrize(
    "key",
    [
        "Athena-Results-eu/1.csv",
        "athena_results/1.csv",
        "aws-athena-query-results-1-eu-west-1/1.csv",
        "p/VpcQueryLogs/2024/1.csv.gz",
        "p/query-log/1.parquet",
        "billing-inventory/2024/1.csv.gz",
        "exports/1.csv.metadata",
        "exports/_SUCCESS",
    ],
)
def test_what_athena_and_s3_leave_behind_is_noise(key: str) -> None:
    assert classify(key) == KeyFacts()


@pytest.mark.parametrize(
    "key", ["p/year=2024/month=05/x.csv", "p/lake/date=2024-05-01/x.csv", "p/2024-05/x.csv"]
)
def test_a_clients_own_division_by_time_is_kept(key: str) -> None:
    assert (classify(key).key_layout, classify(key).kind) == (KeyLayout.GENERIC, Kind.DATA)


def test_an_unlisted_file_tells_its_format_for_a_manifest_may_list_it() -> None:
    assert classify("p/e/data/BILLING_PERIOD=2024-05/May.csv.gz").format == "csv.gz"
    assert classify("p/r/20240501-20240601/a1/May.snappy.parquet").format == "snappy.parquet"
    assert classify("p/e/metadata/BILLING_PERIOD=2024-05/notes.txt").format is None


def test_the_parts_of_a_name_are_taken_from_the_key_and_not_guessed() -> None:
    facts = classify("20240101-20240201/20240101-20240201/20240101-20240201-3.csv")
    assert (facts.name, facts.part, facts.mode) == ("20240101-20240201", 3, Mode.OVERWRITE)
    assert facts.root == ""


def test_a_root_that_looks_like_an_export_is_a_root() -> None:
    facts = classify("a/data/BILLING_PERIOD=2024-01/b/data/BILLING_PERIOD=2024-02/b-00001.csv.gz")
    assert (facts.root, facts.name) == ("a/data/BILLING_PERIOD=2024-01/", "b")


def test_a_data_exports_manifest_of_one_snapshot_is_told_from_the_current_one() -> None:
    snapshot = classify(f"p/e/metadata/billing_period=2024-05/{EXECUTION}/Manifest.json")
    current = classify("p/e/metadata/billing_period=2024-05/Manifest.json")
    assert (snapshot.scope, snapshot.mode, current.scope, current.mode) == (
        Scope.SNAPSHOT,
        Mode.CREATE_NEW,
        Scope.CURRENT,
        None,
    )
    assert (snapshot.snapshot_id, current.snapshot_id) == ("3695a728-d559-40bd-ac30-ffc97b552489", None)


def test_a_manifest_among_the_data_and_data_among_the_manifests_are_unlisted() -> None:
    assert classify("p/e/data/BILLING_PERIOD=2024-05/e-Manifest.json").kind is Kind.UNLISTED
    assert classify("p/e/metadata/BILLING_PERIOD=2024-05/e-00001.csv.gz").kind is Kind.UNLISTED


def test_a_report_named_like_the_status_folder_keeps_its_period() -> None:
    status = "cost_and_usage_data_status"
    facts = classify(f"{status}/{status}/20240101-20240201/{status}")
    assert (facts.kind, facts.root, f"{facts.period_start:%Y-%m}") == (Kind.STATUS, "", "2024-01")


@pytest.mark.parametrize("digit", ["٣", "३"])
def test_digits_of_other_scripts_are_not_the_digits_aws_writes(digit: str) -> None:
    assert classify(f"p/r/2024030{digit}-20240401/r-1.csv").kind is not Kind.UNLISTED
    assert classify(f"p/r/20240301-20240401/r-{digit}.csv").kind is Kind.UNLISTED


def test_a_line_end_after_the_name_makes_it_another_name() -> None:
    assert classify("p/r/20240301-20240401/r-1.csv.gz\n") == KeyFacts()


def test_lengths_at_the_limit_of_aws_and_one_beyond() -> None:
    report, export = "r" * 256, "e" * 128
    assert classify(f"{report}/20240301-20240401/{report}-1.csv.gz").key_layout is KeyLayout.LEGACY_CUR
    assert classify(f"{export}/data/BILLING_PERIOD=2024-05/{export}-00001.csv").kind is Kind.DATA
    assert classify(f"{export}e/data/BILLING_PERIOD=2024-05/{export}e-00001.csv") == KeyFacts()


def test_a_part_number_of_thousands_of_digits_is_no_part_number() -> None:
    assert classify(f"p/r/20240301-20240401/r-{'1' * 5000}.csv").kind is Kind.UNLISTED
