"""Exports: what is loaded comes out again, in every format, in order, whole or not at all."""

import csv
import gzip
import hashlib
import io
import json

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from django.db import connection

from billing import copy_out
from billing.write import delete_rows
from ingestion.export_errors import NotAsTyped, NotExportable, RowsMissing, SelectionChanged, UnknownColumn
from ingestion.exporting import snapshot
from ingestion.exporting.compression import Compression
from ingestion.exporting.export import export
from ingestion.exporting.writers import Format
from ingestion.selection import Selection, of_file
from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.ingestion.test_verify import tamper
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/one.csv.gz"
TEXT = 'a,b,a\n1,,3\n"","x ""y"", z","two\nlines"\n\\.,"NULL",\\N\n spaced ,é漢字,\ufeffmark\n'

READ = {
    Format.PARQUET: lambda file: pq.ParquetFile(file).read(),
    Format.ARROW: lambda file: pa.ipc.open_stream(file).read_all(),
}
UNPACK = {
    "none": bytes,
    "gzip": gzip.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def loaded(client: ClientUnderTest, body: bytes, key: str = KEY) -> Selection:
    client.account.put_object(key, body)
    client.ingest()
    return of_file(client.file(key).pk)


def exported(selection: Selection, as_format: Format, columns: list[str] | None = None) -> bytes:
    return b"".join(export(selection, as_format, columns))


def test_a_csv_comes_out_as_it_came_in(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz(TEXT))
    assert exported(selection, Format.CSV).decode() == TEXT.replace('"NULL"', "NULL")


def test_what_a_spreadsheet_takes_for_a_formula_comes_out_as_received(
    client_under_test: ClientUnderTest,
) -> None:
    source = b"=h,+h\n=1+1,+1\n-1,@x\n\tt,'=2\n"
    assert exported(loaded(client_under_test, source), Format.CSV) == source


def test_null_and_the_empty_string_stay_apart_in_every_format(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz('a,b\n,""\n"",\n'))
    rows = {"a": [None, ""], "b": ["", None]}
    assert exported(selection, Format.CSV) == b'a,b\n,""\n"",\n'
    assert pq.read_table(io.BytesIO(exported(selection, Format.PARQUET))).to_pydict() == rows
    assert pa.ipc.open_stream(exported(selection, Format.ARROW)).read_all().to_pydict() == rows
    assert exported(selection, Format.NDJSON) == b'{"a":null,"b":""}\n{"a":"","b":null}\n'


def test_the_null_of_a_single_column_is_a_blank_line(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz('a\n\n""\nx\n'))
    assert exported(selection, Format.CSV) == b'a\n\n""\nx\n'
    assert pq.read_table(io.BytesIO(exported(selection, Format.PARQUET)))["a"].to_pylist() == [None, "", "x"]


def test_duplicate_names_keep_their_columns_but_in_ndjson_the_last_is_kept(
    client_under_test: ClientUnderTest,
) -> None:
    selection = loaded(client_under_test, csv_gz("a,b,a\n1,2,3\n"))
    for as_format in (Format.PARQUET, Format.ARROW):
        data = exported(selection, as_format)
        table = READ[as_format](io.BytesIO(data))
        assert table.column_names == ["a", "b", "a"]
        assert [column.to_pylist() for column in table.columns] == [["1"], ["2"], ["3"]]
    assert json.loads(exported(selection, Format.NDJSON)) == {"a": "3", "b": "2"}


def test_columns_are_chosen_by_name_in_the_order_asked_for(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz("a,b,a\n1,2,3\n"))
    assert exported(selection, Format.CSV, ["b", "a"]) == b"b,a,a\n2,1,3\n"
    with pytest.raises(UnknownColumn, match="'A'"):
        export(selection, Format.CSV, ["A"])


@pytest.mark.parametrize("as_format", Format)
def test_a_file_of_a_header_alone_has_columns_and_no_rows(
    client_under_test: ClientUnderTest, as_format: Format
) -> None:
    data = exported(loaded(client_under_test, csv_gz("a,b\n")), as_format)
    if as_format in {Format.CSV, Format.NDJSON}:
        assert data == (b"a,b\n" if as_format is Format.CSV else b"")
    else:
        table = READ[as_format](io.BytesIO(data))
        assert (table.column_names, table.num_rows) == (["a", "b"], 0)


def test_more_columns_than_postgresql_selects_come_out_all_the_same(
    client_under_test: ClientUnderTest,
) -> None:
    names = [f"column {number}" for number in range(2000)]
    cells = ['"a ""q"", b"', '""', "", "plain", '"\ufeffmark"'] * 400
    body = f"{','.join(names)}\n{','.join(cells)}\n"
    selection = loaded(client_under_test, csv_gz(body))
    assert len(names) > copy_out.MOST_SELECTED
    assert exported(selection, Format.CSV).decode() == body


def test_many_blocks_and_row_groups_keep_the_order(
    client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BLOCK_BYTES", 1000)
    monkeypatch.setattr("ingestion.exporting.writers.ROW_GROUP_BYTES", 5000)
    table = pa.table({"n": range(2000), "s": [None, "x", ""] * 666 + ["y", None]})
    selection = loaded(client_under_test, parquet(table), "exports/lines/n.parquet")
    chunks = list(export(selection, Format.PARQUET))
    assert max(map(len, chunks)) < 20_000
    file = pq.ParquetFile(io.BytesIO(b"".join(chunks)))
    assert file.num_row_groups > 3
    assert file.read().equals(table)
    assert pa.ipc.open_stream(exported(selection, Format.ARROW)).read_all().equals(table)


@pytest.mark.parametrize("compression", Compression)
def test_the_receipt_tells_what_was_given_out(
    client_under_test: ClientUnderTest, compression: Compression
) -> None:
    selection = loaded(client_under_test, csv_gz("a,b\n1,2\n"))
    stream = export(selection, Format.CSV, compression=compression)
    with pytest.raises(RuntimeError):
        stream.receipt()
    data = b"".join(stream)
    receipt = stream.receipt()
    file = client_under_test.file(KEY)
    assert receipt["files"] == [
        {
            "id": file.pk,
            "key": KEY,
            "etag": file.etag,
            "rows": 1,
            "rows_sha256": file.rows_sha256,
            "object_sha256": file.object_sha256,
        }
    ]
    assert (receipt["rows"], receipt["columns"], receipt["format"]) == (1, ["a", "b"], "csv")
    assert (receipt["compression"], receipt["bytes"]) == (compression.value, len(data))
    assert receipt["sha256"] == hashlib.sha256(data).hexdigest()
    plain = UNPACK[compression.value](data)
    assert plain == b"a,b\n1,2\n"
    assert receipt["uncompressed_sha256"] == hashlib.sha256(plain).hexdigest()
    assert json.loads(json.dumps(receipt)) == receipt


def test_a_row_that_is_gone_is_noticed(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz("a\n1\n2\n3\n"))
    tamper(f"DELETE FROM billing_rawrow WHERE source_file_id = {selection.files[0].id} AND row_number = 2")
    for as_format in Format:
        stream = export(selection, as_format)
        with pytest.raises(RowsMissing, match="2 rows in the database, 3 in its registry"):
            list(stream)
        with pytest.raises(RuntimeError):
            stream.receipt()


def test_a_value_that_is_not_of_its_type_is_noticed(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, parquet(pa.table({"n": [1, 2]})), "exports/lines/n.parquet")
    tamper(f"UPDATE billing_rawrow SET values = '{{x}}' WHERE source_file_id = {selection.files[0].id}")
    with pytest.raises(NotAsTyped, match="'n' holds a value that is no int64"):
        exported(selection, Format.PARQUET)


def test_a_file_that_is_loaded_anew_meanwhile_is_noticed(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz("a\n1\n"))
    tamper(f"UPDATE ingestion_sourcefile SET row_count = 2 WHERE id = {selection.files[0].id}")
    with pytest.raises(SelectionChanged):
        exported(selection, Format.CSV)


def test_all_files_are_read_as_of_one_moment(
    client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "BLOCK_BYTES", 1)
    first, second = (
        loaded(client_under_test, csv_gz(f"a\n{number}\n"), f"exports/lines/{number}.csv.gz").files[0]
        for number in (1, 2)
    )
    both = Selection(client_under_test.connection.pk, (first, second), (), "two files of a test")
    stream = export(both, Format.CSV)
    begin = [next(stream), next(stream)]
    assert delete_rows(client_under_test.connection.pk, second.id) == 1
    assert b"".join([*begin, *stream]) == b"a\n1\n2\n"


def sessions() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def test_an_export_that_is_given_up_leaves_no_session_behind(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz("a\n" + "x\n" * 1000))
    stream = export(selection, Format.CSV)
    next(stream)
    before = sessions()
    stream.close()
    until(lambda: sessions() == before - 1, "the export's session ended")
    with pytest.raises(StopIteration):
        next(stream)
    with pytest.raises(RuntimeError):
        stream.receipt()


def test_a_file_that_is_not_loaded_is_refused(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(KEY, b"a\n1\n")
    client_under_test.discover()
    with pytest.raises(NotExportable, match="its status is NEW"):
        of_file(client_under_test.file(KEY).pk)
    with pytest.raises(NotExportable, match="There is no file 0"):
        of_file(0)


def test_python_reads_the_csv_as_the_source(client_under_test: ClientUnderTest) -> None:
    selection = loaded(client_under_test, csv_gz(TEXT))
    ours = list(csv.reader(io.StringIO(exported(selection, Format.CSV).decode(), newline="")))
    assert ours == list(csv.reader(io.StringIO(TEXT, newline="")))
