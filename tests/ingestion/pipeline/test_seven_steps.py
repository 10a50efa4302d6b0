"""All seven steps, from a client's bucket to raw rows."""

import hashlib

import pyarrow as pa
import pytest

from billing.read import rows_digest
from ingestion.models import Delivery, SourceFile
from tests.builders import ClientUnderTest, csv_gz, parquet

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])


def test_a_csv_gz_and_a_parquet_become_rows_as_received(client_under_test: ClientUnderTest) -> None:
    body = csv_gz('a,b\n1,\n"",x\n')
    client_under_test.account.put_object("exports/lines/one.csv.gz", body)
    tags = pa.array([[("k", "v")], None], pa.map_(pa.string(), pa.string()))
    client_under_test.account.put_object(
        "exports/lines/two.parquet", parquet(pa.table({"cost": [0.1, None], "tags": tags}))
    )

    client_under_test.ingest()

    assert client_under_test.rows("exports/lines/one.csv.gz") == [["1", None], ["", "x"]]
    assert client_under_test.rows("exports/lines/two.parquet") == [["0.1", '{"k":"v"}'], [None, None]]
    file = client_under_test.file("exports/lines/one.csv.gz")
    assert file.status == SourceFile.Status.INGESTED
    assert (file.row_count, file.decoded_bytes) == (2, len('a,b\n1,\n"",x\n'))
    assert file.layout is not None
    assert (file.layout.names, file.layout.types) == (["a", "b"], ["string", "string"])
    assert file.object_sha256 == hashlib.sha256(body).hexdigest()
    assert file.rows_sha256 == rows_digest(file.connection_id, file.pk)
    assert list(Delivery.objects.values_list("status", flat=True)) == ["CURRENT", "CURRENT"]
