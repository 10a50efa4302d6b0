"""No local disk: a worker that may not write a single byte to a file loads every format."""

import errno
import io
import zipfile

import pyarrow as pa
import pytest

from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.processes import python

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

ROWS = 20_000
LOAD_WITHOUT_FILES = """
import os, resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
try:
    os.write(os.open("/tmp", os.O_TMPFILE | os.O_WRONLY), b"x")
    print("files can be written: this proves nothing")
except OSError as error:
    print(error.errno)
from ingestion.pipeline import run
for file in {files}:
    attempt = run.load(file, "test")
    print(attempt.outcome, attempt.rows, attempt.error_message)
"""


def test_csv_gz_zip_and_parquet_load_where_no_file_can_be_written(client_under_test: ClientUnderTest) -> None:
    text = "n,text\n" + "".join(f"{n},{'x' * 50}\n" for n in range(ROWS))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lines.csv", text)
    table = pa.table({"n": pa.array(range(ROWS)), "text": ["x" * 50] * ROWS})
    client_under_test.account.put_object("exports/lines/a.csv.gz", csv_gz(text))
    client_under_test.account.put_object("exports/lines/b.csv.zip", zipped.getvalue())
    client_under_test.account.put_object("exports/lines/c.parquet", parquet(table, row_group_size=5_000))
    client_under_test.discover()
    files = [
        client_under_test.file(f"exports/lines/{name}").pk for name in ("a.csv.gz", "b.csv.zip", "c.parquet")
    ]

    with python(LOAD_WITHOUT_FILES.format(files=files)) as worker:
        assert worker.stdout
        told = worker.stdout.read().split("\n")

    assert told[0] == str(errno.EFBIG)
    assert told[1:4] == [f"SUCCEEDED {ROWS} "] * 3
