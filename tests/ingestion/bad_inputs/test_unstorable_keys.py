"""Keys that no other test can put into a bucket, or that do not fit the registry: discoveries go on."""

from datetime import date

import pytest

from ingestion.models import SourceFile
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, answering

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

MANIFEST = "r/20260301-20260401/r-Manifest.json"


def listing(bucket: str, *keys: str) -> bytes:
    """What S3 answers, its keys encoded as KCX asks for."""
    objects = "".join(
        f"<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag><Size>4</Size>"
        "<LastModified>2026-03-05T12:00:00.000Z</LastModified></Contents>"
        for key in keys
    )
    head = f"<Name>{bucket}</Name><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>"
    return f"<?xml version='1.0'?><ListBucketResult>{head}{objects}</ListBucketResult>".encode()


def test_line_ends_in_a_key_are_kept_and_its_file_is_read(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    keys = {"exports/a%0Ab.csv": "\n", "exports/a%0Db.csv": "\r", "exports/a%0D%0Ab.csv": "\r\n"}
    answer = listing(client_under_test.account.bucket, *keys)
    wire.ever["ListObjectsV2"] = answering(200, body=answer)
    wire.ever["GetObject"] = answering(200, body=b"n\n1\n", ETag='"e"')
    wire.ever["HeadObject"] = answering(200, body=b"", ETag='"e"')
    client_under_test.ingest()
    for encoded, line_end in keys.items():
        assert client_under_test.rows(f"exports/a{line_end}b.csv") == [["1"]]
        assert any(request.target.endswith(encoded) for request in wire.asked("GetObject"))


def test_a_manifest_whose_key_holds_a_nul_is_counted_and_no_more(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    answer = listing(client_under_test.account.bucket, f"exports/a%00/{MANIFEST}", "exports/known.csv")
    wire.ever["ListObjectsV2"] = answering(200, body=answer)
    run = client_under_test.discover()
    assert (run.outcome, run.counts) == ("SUCCEEDED", {"key with NUL": 1, "data": 1})
    assert SourceFile.objects.get().key == "exports/known.csv"


def test_a_folder_longer_than_any_assemblys_id_is_no_snapshot(client_under_test: ClientUnderTest) -> None:
    export = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")
    folder = "exports/r/20260301-20260401/" + "a" * 400
    client_under_test.account.put_object(f"{folder}/r-Manifest.json", b"{}")
    client_under_test.account.put_object(f"{folder}/r-1.csv.gz", csv_gz("a\n1\n"))
    BillingService(client_under_test.account).deliver(export, date(2026, 3, 1), [csv_gz("a\n2\n")])
    assert client_under_test.discover().outcome == "SUCCEEDED"
    skipped = SourceFile.objects.filter(skip_reason="UNKNOWN").values_list("key", flat=True)
    assert set(skipped) == {f"{folder}/r-Manifest.json", f"{folder}/r-1.csv.gz"}
