"""Athena's status file tells when AWS is writing; one that tells nothing holds back its own export."""

from datetime import date, timedelta

import pyarrow as pa
import pytest

from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, parquet
from tests.ingestion.deliveries.test_by_manifest import ATHENA, MARCH, NOON, deliveries, part, shown
from tests.refusing_s3 import refusing

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

OTHER = ExportSpec("exports/", "s", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
READY = parquet(pa.table({"status": ["READY"]}))
FOOTER = 8 + int.from_bytes(READY[-8:-4], "little")
NO_STATUS = {
    "a damaged footer": READY[:-FOOTER] + b"\xff" * FOOTER + READY[-8:],
    "an encrypted file": READY[:-4] + b"PARE",
    "a cut file": READY[:-20],
    "no such column": parquet(pa.table({"state": ["READY"]})),
    "too many bytes": READY.ljust(2**20 + 1),
    "too many rows": parquet(pa.table({"status": ["READY"] * 1001})),
    "a bomb": parquet(
        pa.table({"status": ["READY" + " " * 2**20]}), compression="zstd", use_dictionary=False
    ),
}


@pytest.mark.parametrize("body", NO_STATUS.values(), ids=NO_STATUS)
def test_a_status_file_that_cannot_be_read_holds_back_its_own_export_only(
    client_under_test: ClientUnderTest, body: bytes
) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    service.deliver(ATHENA, MARCH, [part("1")], at=NOON)
    account.put_object(ATHENA.status_key(), body, at=NOON)
    service.deliver(OTHER, date(2026, 4, 1), [part("2")], at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["2"]
    held, published = sorted(deliveries(), reverse=True)
    assert published == ("CURRENT", "")
    assert held[1].startswith(
        f"Athena's status file cannot be read, so AWS may be writing: {ATHENA.status_key()}"
    )
    account.put_object(ATHENA.status_key(), READY, at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1", "2"]


def test_a_status_file_that_is_refused_or_archived_holds_its_export_back(
    client_under_test: ClientUnderTest,
) -> None:
    BillingService(client_under_test.account).deliver(ATHENA, MARCH, [part("1")], at=NOON)
    for refusal in (("AccessDenied", "Access Denied"), ("InvalidObjectState", "The access tier is wrong")):
        with refusing({ATHENA.status_key(): refusal}):
            assert client_under_test.discover().outcome == "SUCCEEDED"
        ((status, reason),) = deliveries()
        assert status == "INCOMPLETE"
        assert refusal[1] in reason
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]


def test_only_parquet_is_a_status_file(client_under_test: ClientUnderTest) -> None:
    BillingService(client_under_test.account).deliver(ATHENA, MARCH, [part("1")], at=NOON)
    client_under_test.account.put_object(ATHENA.status_key().replace(".parquet", ".txt"), b"notes", at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]


def test_updating_holds_back_whichever_of_athenas_two_manifests_was_written_last(
    client_under_test: ClientUnderTest,
) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    delivered = service.deliver(ATHENA, MARCH, [part("1")], at=NOON)
    account.set_last_modified(delivered.manifest_keys[-1], NOON + timedelta(seconds=2))
    account.put_object(ATHENA.status_key(), parquet(pa.table({"status": ["UPDATING"]})), at=NOON)
    client_under_test.ingest()
    assert deliveries() == [("INCOMPLETE", "Athena's status file says UPDATING: AWS is delivering.")]


@pytest.mark.parametrize(
    "other",
    [
        ExportSpec("exports/", "r", Family.FOCUS_1_2, Mode.OVERWRITE, "csv.gz"),
        ExportSpec("exports/", "r", Family.CUR_2_0, Mode.CREATE_NEW, "csv.gz"),
        ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz"),
    ],
    ids=lambda other: f"{other.family}-{other.mode}",
)
def test_updating_holds_back_no_other_export_of_the_same_root_and_name(
    client_under_test: ClientUnderTest, other: ExportSpec
) -> None:
    BillingService(client_under_test.account).deliver(other, MARCH, [part("1")], at=NOON)
    updating = parquet(pa.table({"status": ["UPDATING"]}))
    client_under_test.account.put_object(ATHENA.status_key(), updating, at=NOON)
    client_under_test.ingest()
    assert shown(client_under_test) == ["1"]
