"""Raw rows by the API: in pages that never mix two deliveries, and as downloads that are whole or cut."""

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import zstandard
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.export_errors import RowsMissing
from ingestion.models import Delivery, DeliveryScope, Export, SourceFile
from kcx.simulated_aws.tables.columns import CUR_2_0
from tests.api.asking import Asker, of_all, of_clients
from tests.billing.raw_rows import store
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.registered import MARCH, a_connection, a_delivery, an_export, ingested
from tests.ingestion.test_verify import tamper

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/a.csv.gz"
ROWS = [[str(number), f"name, {number}", ""] for number in range(1, 251)]


def table(rows: list[list[str]], names: str = "id,name,none") -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return csv_gz(f"{names}\n{text.getvalue()}")


@pytest.fixture
def client(client_under_test: ClientUnderTest) -> ClientUnderTest:
    client_under_test.account.put_object(KEY, table(ROWS))
    client_under_test.ingest()
    return client_under_test


def delivered() -> Delivery:
    return Delivery.objects.latest("pk")


def pages(asker: Asker, address: str, **query: Any) -> Iterator[dict[str, Any]]:
    following: str | None = address
    while following:
        answer = asker.ask(following, **({} if following != address else query))
        assert answer.status_code == 200, answer.content
        page = answer.json()
        yield page
        following = page["next"]


def downloaded(asker: Asker, address: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
    answer = asker.ask(address, headers=headers, **query)
    assert answer.status_code == 200, answer.content
    return answer, b"".join(answer.streaming_content)


def test_every_row_comes_once_in_order_with_nothing_where_the_file_has_nothing(
    client: ClientUnderTest,
) -> None:
    found = list(pages(of_all(), f"files/{client.file(KEY).pk}/rows/", limit=120))
    assert [len(page["results"]) for page in found] == [120, 120, 10]
    assert found[0]["columns"] == ["id", "name", "none"]
    rows = [row for page in found for row in page["results"]]
    assert [row["row_number"] for row in rows] == list(range(1, 251))
    assert [row["values"] for row in rows] == [[one, name, None] for one, name, _ in ROWS]


def test_columns_are_chosen_and_ordered_and_an_unknown_one_is_refused(client: ClientUnderTest) -> None:
    address = f"files/{client.file(KEY).pk}/rows/"
    page = of_all().ask(address, columns='name,"id"', limit=1).json()
    assert (page["columns"], page["results"][0]["values"]) == (["name", "id"], ["name, 1", "1"])
    answer = of_all().ask(address, columns="nosuch")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["columns"])


@pytest.mark.parametrize("below", ["rows", "download", "receipt"])
@pytest.mark.parametrize("columns", ['"a', "id\nname", "\n", '"a"b', " id", "\0"])
def test_columns_that_are_no_line_of_csv_or_not_to_the_letter_are_refused(
    client: ClientUnderTest, below: str, columns: str
) -> None:
    answer = of_all().ask(f"files/{client.file(KEY).pk}/{below}/", columns=columns)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["columns"])


def test_of_large_rows_no_more_is_held_than_a_page_has(
    client: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[str(number), "x" * (2**20 - 100), ""] for number in range(1, 61)]
    client.account.put_object("exports/large.csv.gz", table(rows))
    client.ingest()
    monkeypatch.setattr("kcx.api.rows.MOST_CHARACTERS", 2 * 2**20)
    address = f"files/{client.file('exports/large.csv.gz').pk}/rows/"
    tracemalloc.start()
    first = of_all().ask(address)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(first.json()["results"]) == 3  # the last begins before the page is full
    assert peak < 30 * 2**20
    found = [row["values"][0] for page in pages(of_all(), address) for row in page["results"]]
    assert found == [str(number) for number in range(1, 61)]
    monkeypatch.setattr("kcx.api.rows.MOST_CHARACTERS", 10)
    assert len(of_all().ask(address).json()["results"]) == 1


def test_pages_keep_to_the_delivery_they_began_with(client: ClientUnderTest) -> None:
    asker, before = of_all(), delivered()
    read = pages(asker, f"deliveries/{before.pk}/rows/", limit=200)
    first = next(read)
    client.account.put_object(KEY, table([["new", "new", "new"]]))
    client.ingest()
    assert delivered() != before
    [second] = read
    assert {row["values"][0] for row in second["results"]} == {str(number) for number in range(201, 251)}
    assert first["deliveries"] == second["deliveries"] == [before.pk]


def test_a_cursor_keeps_its_columns_and_is_gone_with_its_rows(
    client: ClientUnderTest,
) -> None:
    address = f"files/{client.file(KEY).pk}/rows/"
    following = of_all().ask(address, limit=10).json()["next"]
    assert of_all().ask(following + "&columns=id").json()["columns"] == ["id", "name", "none"]
    assert of_all().ask(following.replace("/files/", "/deliveries/")).status_code in {400, 404}
    SourceFile.objects.update(rows_sha256="1" * 64)
    answer = of_all().ask(following)
    assert (answer.status_code, answer.json()["code"]) == (410, "gone")


@pytest.mark.parametrize(("lost", "until"), [("row_number = 2", 0), ("row_number > 240", 2), ("true", 0)])
def test_pages_skip_no_row_that_the_database_lost(client: ClientUnderTest, lost: str, until: int) -> None:
    tamper(f"DELETE FROM billing_rawrow WHERE {lost}")
    following: str | None = f"files/{client.file(KEY).pk}/rows/"
    for _ in range(until):
        assert following
        following = (
            of_all().ask(following, **({} if "cursor" in following else {"limit": 100})).json()["next"]
        )
    answer = of_all().ask(following)
    assert (answer.status_code, answer.json()["code"]) == (409, "rows_missing")
    SourceFile.objects.update(rows_sha256="1" * 64)
    if until:
        assert of_all().ask(following).status_code == 410, "replaced since, which explains it"


def test_a_row_too_many_is_told_too(client: ClientUnderTest) -> None:
    SourceFile.objects.update(row_count=249)
    answer = of_all().ask(f"files/{client.file(KEY).pk}/rows/", limit=1000)
    assert (answer.status_code, answer.json()["code"]) == (409, "rows_missing")


def test_a_period_is_what_is_current_or_was(client: ClientUnderTest) -> None:
    export = Export.objects.get()
    delivery = delivered()
    delivery.scope.billing_period_start = "2026-03-01"
    delivery.scope.save()
    address = f"exports/{export.pk}/rows/"
    assert of_all().ask(address).status_code == 400
    assert of_all().ask(address, period="2026-04").status_code == 409
    page = of_all().ask(address, period="2026-03", limit=1).json()
    assert (page["deliveries"], len(page["results"])) == ([delivery.pk], 1)
    long_ago = (timezone.now() - timedelta(days=9)).isoformat()
    assert of_all().ask(address, period="2026-03", as_of=long_ago).status_code == 409
    now = timezone.now().isoformat()
    assert of_all().ask(address, period="2026-03", as_of=now).json()["deliveries"] == [delivery.pk]


def key_deliveries(export: Export, count: int, **fields: object) -> list[SourceFile]:
    """Files of March with one row each, every one current by its own delivery."""
    files = [
        ingested(export, row_count=1, etag=f'"{number}"', key=f"exports/{number:04}.csv.gz")
        for number in range(count)
    ]
    for file in files:
        scope = DeliveryScope.objects.create(export=export, key=file.key, billing_period_start=MARCH)
        a_delivery(scope, file, listed_keys=[file.key], **fields)
        store(export.connection_id, file.pk, [[file.key]])
    return files


def test_pages_of_very_many_deliveries_go_on_to_the_end(raw_database: None) -> None:
    export, before = an_export(a_connection()), timezone.now()
    files = key_deliveries(export, 400, status="CURRENT", published_at=before)
    read = pages(of_all(), f"exports/{export.pk}/rows/", period="2026-03", limit=150)
    found = [next(read)]
    scope = DeliveryScope.objects.get(key=files[-1].key)
    scope.deliveries.update(status="SUPERSEDED", superseded_at=timezone.now())
    newer = ingested(export, row_count=1, key=files[-1].key)
    a_delivery(scope, newer, minute=1, listed_keys=[newer.key], status="CURRENT", published_at=timezone.now())
    found += list(read)
    assert [len(page["results"]) for page in found] == [150, 150, 100]
    assert [row["file"] for page in found for row in page["results"]] == [file.pk for file in files]
    assert {len(page["deliveries"]) for page in found} == {400}
    assert max(len(page["next"]) for page in found[:-1]) < 500
    first, again = (
        next(pages(of_all(), f"exports/{export.pk}/rows/", period="2026-03", limit=1, **more))
        for more in ({}, {"as_of": before.isoformat()})
    )
    assert (newer.deliveries.get().pk in first["deliveries"], again["deliveries"]) == (
        True,
        found[0]["deliveries"],
    )


def test_a_page_asks_no_more_of_the_database_for_many_deliveries_than_for_few(raw_database: None) -> None:
    asked = []
    for count in (2, 20):
        export = an_export(a_connection())
        key_deliveries(export, count, status="CURRENT", published_at=timezone.now())
        asker, address = of_all(), f"exports/{export.pk}/rows/"
        first = asker.ask(address, period="2026-03", limit=1).json()
        assert len(first["deliveries"]) == count
        with CaptureQueriesContext(connection) as queries:
            asker.ask(first["next"])
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_a_download_of_very_many_deliveries_has_short_headers(raw_database: None) -> None:
    export = an_export(a_connection())
    key_deliveries(export, 60, status="CURRENT", published_at=timezone.now())
    answer, _ = downloaded(of_all(), f"exports/{export.pk}/download/", period="2026-03")
    assert "KCX-Deliveries" not in answer
    assert max(map(len, answer.headers.values())) < 500
    receipt = of_all().ask(answer["Link"].removeprefix("<").partition(">")[0]).json()
    assert (len(receipt["delivery_ids"]), receipt["rows"]) == (60, 60)


def test_the_columns_of_a_wide_export_fit_the_address_of_the_next_page(client: ClientUnderTest) -> None:
    names = ",".join(CUR_2_0)
    assert len(CUR_2_0) == 115
    client.account.put_object("exports/wide.csv.gz", table([["x"] * 115] * 3, names))
    client.ingest()
    address = f"deliveries/{delivered().pk}/rows/"
    found = list(pages(of_all(), address, columns=names, limit=1))
    assert [page["columns"] for page in found] == [list(CUR_2_0)] * 3
    # gunicorn takes a request line of 4,094 bytes.
    assert max(len(page["next"]) for page in found[:-1]) < 3000


def test_every_format_holds_the_same_rows(client: ClientUnderTest) -> None:
    address = f"deliveries/{delivered().pk}/download/"
    answer, plain = downloaded(of_all(), address)
    assert plain == gzip.decompress(table(ROWS))
    assert (answer["KCX-Rows"], answer["KCX-Deliveries"]) == ("250", str(delivered().pk))
    expected = [{"id": one, "name": name, "none": None} for one, name, _ in ROWS]
    parquet = downloaded(of_all(), address, format="parquet")[1]
    assert pq.read_table(io.BytesIO(parquet)).to_pylist() == expected
    arrow = downloaded(of_all(), address, format="arrow")[1]
    assert pa.ipc.open_stream(arrow).read_all().to_pylist() == expected
    lines = downloaded(of_all(), address, format="ndjson", columns="id")[1].splitlines()
    assert [json.loads(line) for line in lines] == [{"id": one} for one, _, _ in ROWS]


def test_a_download_is_compressed_as_the_asker_accepts(client: ClientUnderTest) -> None:
    address = f"files/{client.file(KEY).pk}/download/"
    plain = gzip.decompress(table(ROWS))
    answer, data = downloaded(of_all(), address, {"Accept-Encoding": "gzip, zstd;q=0"})
    assert (answer["Content-Encoding"], gzip.decompress(data)) == ("gzip", plain)
    answer, data = downloaded(of_all(), address, {"Accept-Encoding": "gzip, zstd"})
    assert answer["Content-Encoding"] == "zstd"
    assert zstandard.ZstdDecompressor().decompressobj().decompress(data) == plain
    answer, data = downloaded(of_all(), address, {"Accept-Encoding": "gzip"}, format="parquet")
    assert "Content-Encoding" not in answer
    assert {"Accept-Encoding", "Authorization"} <= {name.strip() for name in answer["Vary"].split(",")}


def test_a_receipt_goes_with_a_download_and_is_gone_with_its_rows(client: ClientUnderTest) -> None:
    file = client.file(KEY)
    answer, _ = downloaded(of_all(), f"files/{file.pk}/download/", columns="name,id")
    address = answer["Link"].removeprefix("<").partition(">")[0]
    told = of_all().ask(address).json()
    assert (told["rows"], told["columns"]) == (250, ["name", "id"])
    assert [(one["id"], one["etag"], one["rows_sha256"]) for one in told["files"]] == [
        (file.pk, file.etag, file.rows_sha256)
    ]
    SourceFile.objects.update(rows_sha256="1" * 64)
    assert of_all().ask(address).status_code == 410


def test_a_download_that_fails_on_the_way_is_cut_and_not_ended(client: ClientUnderTest) -> None:
    SourceFile.objects.update(row_count=251)
    answer = of_all().ask(f"files/{client.file(KEY).pk}/download/")
    with pytest.raises(RowsMissing):
        b"".join(answer.streaming_content)


def test_a_file_that_is_not_loaded_has_no_rows_and_a_foreign_one_does_not_exist(
    client: ClientUnderTest,
) -> None:
    client.account.put_object("exports/b.csv.gz", b"no gzip\x00")
    client.ingest()
    broken = client.file("exports/b.csv.gz")
    for below in ("rows", "download", "receipt"):
        answer = of_all().ask(f"files/{broken.pk}/{below}/")
        assert (answer.status_code, answer.json()["code"]) == (409, "not_exportable")
        assert of_clients().ask(f"files/{client.file(KEY).pk}/{below}/").status_code == 404
        assert of_all().ask(f"files/{broken.pk}/{below}/", misspelt="1").status_code == 400


def test_whatever_form_the_browser_would_like_the_download_is_of_the_format(client: ClientUnderTest) -> None:
    accept = {"Accept": "text/html"}
    assert downloaded(of_all(), f"files/{client.file(KEY).pk}/download/", accept)[1].startswith(b"id,")
