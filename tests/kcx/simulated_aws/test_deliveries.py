"""The simulated delivery service: keys, manifests and the order of writing, per layout."""

import gzip
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode

MAY = date(2026, 5, 1)
AT = datetime(2026, 5, 20, 12, 0, 10, tzinfo=UTC)
CSV = [gzip.compress(b"identity/LineItemId,lineItem/UnblendedCost\n1,2\n")] * 2


def parquet(rows=1):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"line_item_line_item_type": ["Usage"] * rows, "pricing_x": [1.5] * rows}), sink)
    return sink.getvalue().to_pybytes()


def legacy(mode, fmt="csv.gz", root="cost/"):
    return ExportSpec(root, "daily", Family.LEGACY_CUR, mode, fmt)


def test_legacy_create_new_has_a_folder_per_assembly_and_a_pointer(billing, acme):
    done = billing.deliver(legacy(Mode.CREATE_NEW), MAY, CSV, at=AT)
    month = "cost/daily/20260501-20260601/"
    assert done.data_keys == (
        f"{month}{done.snapshot_id}/daily-1.csv.gz",
        f"{month}{done.snapshot_id}/daily-2.csv.gz",
    )
    assert done.manifest_keys == (
        f"{month}{done.snapshot_id}/daily-Manifest.json",
        f"{month}daily-Manifest.json",
    )
    assert acme.list_keys() == sorted(done.data_keys + done.manifest_keys)
    assert acme.read_object(done.manifest_keys[0]) == acme.read_object(done.manifest_keys[1])


def test_legacy_parquet_in_new_folders_is_numbered_with_five_digits_and_named_by_the_time(billing, acme):
    done = billing.deliver(legacy(Mode.CREATE_NEW, "snappy.parquet"), MAY, [parquet()], at=AT)
    assert done.snapshot_id == "20260520T120000Z"
    assert done.data_keys == ("cost/daily/20260501-20260601/20260520T120000Z/daily-00001.snappy.parquet",)


def test_legacy_overwrite_has_no_folder_below_the_month(billing, acme):
    billing.deliver(legacy(Mode.OVERWRITE), date(2026, 12, 31), CSV, at=AT)
    assert acme.list_keys() == [
        "cost/daily/20261201-20270101/daily-1.csv.gz",
        "cost/daily/20261201-20270101/daily-2.csv.gz",
        "cost/daily/20261201-20270101/daily-Manifest.json",
    ]


def test_an_empty_prefix_of_a_legacy_report_makes_keys_that_start_with_a_slash(billing, acme):
    billing.deliver(legacy(Mode.OVERWRITE, root="/"), MAY, CSV[:1], at=AT)
    assert acme.list_keys()[0] == "/daily/20260501-20260601/daily-1.csv.gz"


def test_the_athena_layout_names_the_report_twice_and_says_when_it_is_ready(billing, acme):
    pending = billing.write_data(legacy(Mode.ATHENA, "snappy.parquet"), MAY, [parquet()])
    status = "cost/daily/cost_and_usage_data_status/cost_and_usage_data_status.parquet"
    assert _status(acme, status) == ["UPDATING"]
    done = billing.write_manifest(pending)
    assert _status(acme, status) == ["READY"]
    assert acme.list_keys() == [
        "cost/daily/20260501-20260601/daily-Manifest.json",
        "cost/daily/20260501-20260601/daily-create-table.sql",
        status,
        "cost/daily/crawler-cfn.yml",
        "cost/daily/daily/year=2026/month=5/daily-00001.snappy.parquet",
        "cost/daily/daily/year=2026/month=5/daily-Manifest.json",
    ]
    assert done.data_keys == (acme.list_keys()[4],)


def _status(account, key):
    return pq.read_table(pa.BufferReader(account.read_object(key)))["status"].to_pylist()


@pytest.mark.parametrize(
    ("family", "partition"),
    [(Family.CUR_2_0, "BILLING_PERIOD=2026-05"), (Family.FOCUS_1_2, "billing_period=2026-05")],
)
def test_data_exports_spell_the_partition_by_family_and_keep_metadata_apart(billing, acme, family, partition):
    billing.deliver(ExportSpec("cost/", "e", family, Mode.OVERWRITE, "csv.gz"), MAY, CSV, at=AT)
    assert acme.list_keys() == [
        f"cost/e/data/{partition}/e-00001.csv.gz",
        f"cost/e/data/{partition}/e-00002.csv.gz",
        f"cost/e/metadata/{partition}/e-Manifest.json",
    ]


def test_data_exports_create_new_has_a_folder_of_time_and_execution(billing, acme):
    export = ExportSpec("", "e", Family.CUR_2_0, Mode.CREATE_NEW, "snappy.parquet")
    done = billing.deliver(export, MAY, [parquet()], at=AT.replace(microsecond=306_000))
    folder = f"BILLING_PERIOD=2026-05/2026-05-20T12:00:00.306Z-{done.snapshot_id}"
    assert acme.list_keys() == [
        f"e/data/{folder}/e-00001.snappy.parquet",
        f"e/metadata/{folder}/e-Manifest.json",
        "e/metadata/BILLING_PERIOD=2026-05/e-Manifest.json",
    ]


def test_no_manifest_is_there_until_it_is_written(billing, acme):
    pending = billing.write_data(legacy(Mode.CREATE_NEW), MAY, CSV)
    assert acme.list_keys() == list(pending.data_keys)
    done = billing.write_manifest(pending)
    assert set(acme.list_keys()) == {*done.data_keys, *done.manifest_keys}
    assert done.etags == {key: acme.etag(key) for key in acme.list_keys()}


def test_a_delivery_is_dated_and_its_data_are_older_than_its_manifest(billing, acme):
    done = billing.deliver(legacy(Mode.OVERWRITE), MAY, CSV, at=AT)
    assert done.delivered_at == AT
    assert acme.last_modified(done.manifest_keys[-1]) == AT
    assert {acme.last_modified(key) for key in done.data_keys} == {AT.replace(second=0)}


def test_deliveries_in_a_row_are_told_apart_by_the_second(billing, acme):
    export = legacy(Mode.OVERWRITE)
    first = billing.deliver(export, MAY, CSV)
    pending = billing.write_data(export, MAY, CSV)
    manifest_time = acme.last_modified(first.manifest_keys[-1])
    assert manifest_time.microsecond == 0
    assert (acme.last_modified(pending.data_keys[0]) - manifest_time).total_seconds() >= 1
    assert pending.snapshot_id != first.snapshot_id


def test_data_exports_that_shrink_empty_the_surplus_parts(billing, acme):
    export = ExportSpec("cost/", "e", Family.CUR_2_0, Mode.OVERWRITE, "csv.gz")
    billing.deliver(export, MAY, CSV * 2)
    done = billing.deliver(export, MAY, CSV[:1])
    surplus = [key for key in acme.list_keys() if "/data/" in key and key not in done.data_keys]
    assert len(surplus) == 3
    for key in surplus:
        assert gzip.decompress(acme.read_object(key)) == b"identity/LineItemId,lineItem/UnblendedCost\n"
    assert len(json.loads(acme.read_object(done.manifest_keys[-1]))["dataFiles"]) == 1


def test_a_legacy_report_that_shrinks_leaves_the_surplus_parts_as_they_were(billing, acme):
    export = legacy(Mode.OVERWRITE)
    first = billing.deliver(export, MAY, CSV)
    billing.deliver(export, MAY, [gzip.compress(b"a\n")])
    assert acme.read_object(first.data_keys[1]) == CSV[1]


def test_the_ids_of_a_seed_are_always_the_same_and_differ_from_anothers(acme):
    def ids(seed):
        service = BillingService(acme, seed=seed)
        return [service.deliver(legacy(Mode.CREATE_NEW), MAY, CSV, at=AT).snapshot_id for _ in range(2)]

    assert ids(1) == ids(1)
    assert len({*ids(1), *ids(2)}) == 4


def test_a_delivery_without_a_part_is_refused(billing):
    with pytest.raises(ValueError, match="at least one part"):
        billing.deliver(legacy(Mode.OVERWRITE), MAY, [])


def test_only_legacy_reports_have_athenas_layout():
    with pytest.raises(ValueError, match="Only a legacy CUR"):
        ExportSpec("", "e", Family.CUR_2_0, Mode.ATHENA, "snappy.parquet")
