"""The pages of one file: its life, its rows as the source has them, and the passport of each row."""

import re
import shlex
import subprocess
from datetime import date, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, strip_tags

from ingestion.admin import row_pages
from ingestion.models import AwsUse, ClientConnection, Export, LoadAttempt, SourceFile, StaffAction
from ingestion.reruns import reprocess
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from tests.builders import ClientUnderTest, csv_gz, parquet
from tests.ingestion.registered import a_delivery, a_file, an_export, failed, ingested, running
from tests.staff import browser_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

LIST = reverse("admin:ingestion_sourcefile_changelist")
KEY = "exports/lines/file.csv.gz"
HOSTILE = 'exports/it\'s "<script>alert(1)</script>" $(touch x) ünï/' + "x" * 900 + ".csv"


@pytest.fixture
def operator(client_under_test: ClientUnderTest) -> Browser:
    return browser_of("operator")


def ingest(client: ClientUnderTest, body: bytes, key: str = KEY) -> SourceFile:
    client.account.put_object(key, body)
    client.ingest()
    return client.file(key)


def rows_of(browser: Browser, file: SourceFile, **search: object) -> str:
    return page(browser, reverse("admin:ingestion_sourcefile_rows", args=[file.pk]), **search)


def page(browser: Browser, path: str, **search: object) -> str:
    answer = browser.get(path, search, secure=True)
    assert answer.status_code == 200
    return answer.content.decode()


def passport(file: SourceFile, number: int = 1) -> str:
    return reverse("admin:ingestion_sourcefile_row", args=[file.pk, number])


def test_a_file_tells_its_life(client_under_test: ClientUnderTest, operator: Browser) -> None:
    export = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
    service = BillingService(client_under_test.account)
    delivered = service.deliver(export, date(2026, 1, 1), [cur2_parquet(date(2026, 1, 1), 50, 1)])
    client_under_test.ingest()
    file = client_under_test.file(delivered.data_keys[0])
    text = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    for told in (file.etag.strip('"'), file.rows_sha256, "2026-01", delivered.snapshot_id, "See its 50 rows"):
        assert told in text
    assert "no. 1" in text, "its receipt"


def life_of(browser: Browser, file: SourceFile) -> str:
    """What the file's page says, as words."""
    text = page(browser, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    return " ".join(unescape(strip_tags(text)).split())


def in_list(browser: Browser) -> str:
    return " ".join(unescape(strip_tags(page(browser, LIST))).split())


def loading_file(export: Export, **attempt: Any) -> SourceFile:
    file = a_file(export, size=1000)
    began = running(file)
    told_at = began.started_at + timedelta(seconds=10)
    LoadAttempt.objects.filter(pk=began.pk).update(progress_at=told_at, rows=5000, bytes_read=250, **attempt)
    return file


def state_of(browser: Browser, file: SourceFile, seen: str) -> HttpResponse:
    return browser.get(
        reverse("admin:ingestion_sourcefile_state", args=[file.pk]), {"seen": seen}, secure=True
    )


def test_a_file_that_loads_tells_how_far_it_is_and_is_asked_again(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = loading_file(an_export(client_under_test.connection))
    answer = operator.get(reverse("admin:ingestion_sourcefile_change", args=[file.pk]), secure=True)
    told = " ".join(strip_tags(answer.content.decode()).split())
    assert "25%: 5,000 rows so far, 250 B of 1,000 B, 500 rows/s, 30 s left" in told
    part = reverse("admin:ingestion_sourcefile_state", args=[file.pk])
    assert f'hx-get="{part}?seen={quote(answer.context["seen"])}"' in answer.content.decode()
    again = state_of(operator, file, answer.context["seen"])
    assert "25%" in again.content.decode()
    assert "HX-Refresh" not in again.headers
    LoadAttempt.objects.update(outcome="FAILED", error_code="x", ended_at=timezone.now())
    assert state_of(operator, file, answer.context["seen"]).headers["HX-Refresh"] == "true"


def test_a_file_that_nothing_is_about_to_change_is_not_asked_again(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    export = an_export(client_under_test.connection)
    later = timezone.now() + timedelta(hours=1)
    for file in (ingested(export), failed(export), failed(export, next_retry_at=later)):
        assert "/state/" not in page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    waiting = page(operator, reverse("admin:ingestion_sourcefile_change", args=[a_file(export).pk]))
    assert "every 10s" in waiting


def test_a_poll_after_the_login_ended_shows_the_login_as_a_page(client_under_test: ClientUnderTest) -> None:
    answer = state_of(Browser(), a_file(an_export(client_under_test.connection)), "")
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (403, "true")


BUTTONS = [
    ("NEW", {}, {"skip_now"}),
    ("FAILED", {"error_code": "corrupt_gzip"}, {"retry_now", "skip_now"}),
    ("INGESTED", {}, {"reprocess_now"}),
    ("SKIPPED", {"skip_reason": "BY_STAFF"}, {"release_now"}),
    ("SKIPPED", {"skip_reason": "ARCHIVED"}, {"skip_now", "release_now"}),
    ("SKIPPED", {"skip_reason": "OLDER"}, set()),
]


@pytest.mark.parametrize(("status", "fields", "buttons"), BUTTONS)
def test_a_file_has_the_buttons_of_its_state(
    client_under_test: ClientUnderTest,
    operator: Browser,
    status: str,
    fields: dict[str, str],
    buttons: set[str],
) -> None:
    file = in_state(client_under_test, status, fields)
    text = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    assert set(re.findall(r'name="action" value="(\w+_now)"', text)) == buttons


def in_state(client: ClientUnderTest, status: str, fields: dict[str, str]) -> SourceFile:
    export = an_export(client.connection)
    return ingested(export) if status == "INGESTED" else a_file(export, status=status, **fields)


AFTER = {
    "retry_now": lambda file: file.next_retry_at <= timezone.now() and file.requested_by == "operator",
    "reprocess_now": lambda file: file.reload_requested_at and file.requested_by == "operator",
    "skip_now": lambda file: (file.status, file.skip_reason) == ("SKIPPED", "BY_STAFF"),
    "release_now": lambda file: (file.status, file.skip_reason) == ("NEW", ""),
}


@pytest.mark.parametrize(
    ("button", "status", "fields"),
    [(button, status, fields) for status, fields, buttons in BUTTONS for button in sorted(buttons)],
)
def test_a_button_of_the_file_page_does_what_it_says_and_comes_back_to_it(
    client_under_test: ClientUnderTest, operator: Browser, button: str, status: str, fields: dict[str, str]
) -> None:
    file = in_state(client_under_test, status, fields)
    sent = {"action": button, "_selected_action": file.pk, "reason": "because"}
    answer = operator.post(LIST, sent, secure=True)
    assert answer.headers["Location"] == reverse("admin:ingestion_sourcefile_change", args=[file.pk])
    file.refresh_from_db()
    assert AFTER[button](file)
    assert f"{button.removesuffix('_now')} by operator: because" in life_of(operator, file)


def test_what_a_page_leaves_out_is_counted_and_leads_to_all_of_it(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz("n,m\n1,2\n"))
    other = ingest(client_under_test, csv_gz("n\n1\n"), "exports/other.csv.gz")
    scope = file.deliveries.get().scope
    ended = {"actor": "x", "worker": "w", "outcome": "CRASHED", "ended_at": timezone.now()}
    for number in range(20):
        LoadAttempt.objects.create(source_file=file, **ended)
        StaffAction.objects.create(source_file=file, actor="x", action="retry")
        a_delivery(scope, file, snapshot=f"older {number}", status="SUPERSEDED", superseded_at=timezone.now())
    assert "all of them" not in life_of(operator, other)
    text = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    links = re.findall(r'href="([^"]+)">The newest 20 of (\d+): all of them', text)
    assert links == [
        (f"/admin/ingestion/{model}/?file={file.pk}", total)
        for model, total in (("loadattempt", "21"), ("delivery", "21"))
    ]
    for address, total in links:
        listed = operator.get(address, secure=True).context["cl"]
        assert (listed.result_count, listed.has_active_filters) == (int(total), True)
    assert "The newest 20 of 21 deliveries" in page(operator, passport(file))


def test_a_file_tells_its_columns_and_their_types(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    table = pa.table({"lineItem/Cost": pa.array([1.5]), "<b>": pa.array(["a"])})
    file = ingest(client_under_test, parquet(table), "exports/a.parquet")
    assert "Its 2 columns, in the file's order" in life_of(operator, file)
    text = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    listed = re.findall(r'data-label="(?:No.|Column|Type in the file)"[^>]*>([^<]*)<', text)
    assert listed == ["1", "lineItem/Cost", "double", "2", "&lt;b&gt;", "string"]


def test_a_reload_is_told_from_the_wish_to_its_end(
    client_under_test: ClientUnderTest, operator: Browser, settings: Any
) -> None:
    file = ingest(client_under_test, csv_gz("n,m\n1,2\n"))
    assert "reload" not in life_of(operator, file)
    reprocess(SourceFile.objects.filter(pk=file.pk), "somebody", "to see")
    assert "A reload was asked for by somebody" in life_of(operator, file)
    assert "a reload is asked for" in in_list(operator)
    settings.KCX_MAX_COLUMNS = 1
    client_under_test.load_all()
    life = life_of(operator, file)
    assert "The last reload failed (too_large): The header has 2 columns" in life
    assert "The rows that were loaded before it stay." in life
    assert "A reload was asked for" not in life
    assert "The last reload failed, the old rows stay. too_large: The header has 2 columns" in in_list(
        operator
    )
    settings.KCX_MAX_COLUMNS = 10
    reprocess(SourceFile.objects.filter(pk=file.pk))
    assert "A reload was asked for" in life_of(operator, file)
    client_under_test.load_all()
    assert "reload failed" not in life_of(operator, file)
    assert "reload" not in in_list(operator)


def test_a_reload_that_is_tried_again_says_when(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz("n\n1\n"))
    reprocess(SourceFile.objects.filter(pk=file.pk), "somebody")
    LoadAttempt.objects.create(
        source_file=file,
        actor="somebody",
        worker="w",
        is_reload=True,
        outcome="FAILED",
        error_code="s3_unavailable",
        error_message="S3 did not answer.",
        ended_at=timezone.now(),
    )
    SourceFile.objects.filter(pk=file.pk).update(next_retry_at=timezone.now(), requested_by="")
    life = life_of(operator, file)
    assert "The last reload failed (s3_unavailable)" in life
    assert re.search(r"A reload was asked for \S+ \S+ UTC; .* It is tried again \S+ \S+ UTC by itself", life)


@pytest.mark.parametrize(
    ("decision", "told"),
    [("LOAD", "by itself"), ("IGNORE", "Staff decided not to load"), ("AWAITING", "awaits a decision")],
)
def test_a_file_says_it_is_tried_again_only_where_its_export_is_loaded(
    client_under_test: ClientUnderTest, operator: Browser, decision: str, told: str
) -> None:
    export = an_export(client_under_test.connection, decision=decision)
    tried_again = failed(export, next_retry_at=timezone.now())
    life = life_of(operator, tried_again)
    assert told in life
    assert ("by itself" in life) == (decision == "LOAD")
    waits = life_of(operator, a_file(export))
    assert ("as soon as a worker is free" in waits) == (decision == "LOAD")


def test_a_file_of_a_disabled_connection_says_what_it_waits_for(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    export = an_export(client_under_test.connection)
    ClientConnection.objects.update(enabled=False)
    assert "Its connection is disabled" in life_of(operator, a_file(export))


def test_a_file_of_a_bucket_that_refuses_kcx_says_what_it_waits_for(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = a_file(an_export(client_under_test.connection))
    assert "as soon as a worker is free" in life_of(operator, file)
    ClientConnection.objects.update(reads_refused_at=timezone.now())
    told = life_of(operator, file)
    assert "it waits until a discovery or an access check succeeds" in told
    assert "as soon as a worker is free" not in told


def test_rows_are_shown_with_the_sources_names_and_null_apart_from_empty(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    table = pa.table({"lineItem/Cost": ["1.50", None, ""], "<b>": ["a", "b", "c"]})
    file = ingest(client_under_test, parquet(table), "exports/a.parquet")
    text = rows_of(operator, file)
    assert "lineItem/Cost" in text
    assert "&lt;b&gt;" in text
    assert (text.count(">NULL<"), text.count(">empty<")) == (1, 1)


def test_rows_are_paged_by_their_numbers(client_under_test: ClientUnderTest, operator: Browser) -> None:
    lines = "".join(f"value-{number:03}\n" for number in range(1, 121))
    file = ingest(client_under_test, csv_gz("n\n" + lines))
    first, last = rows_of(operator, file), rows_of(operator, file, after=100)
    assert "value-050" in first
    assert "value-051" not in first
    assert "?after=50" in first
    assert "value-101" in last
    assert "value-120" in last
    assert "Next rows" not in last


def links_of(browser: Browser, file: SourceFile, address: str = "") -> tuple[list[int], dict[str, str]]:
    """The numbers of the rows that are shown, and where the page leads on by `rel`."""
    text = rows_of_address(browser, file, address)
    numbers = [int(n) for n in re.findall(r'title="The passport of row (\d+)"', text)]
    found = re.findall(r'rel="(prev|next)" href="([^"]+)"', text)
    return numbers, {rel: unescape(href) for rel, href in found}


def rows_of_address(browser: Browser, file: SourceFile, address: str) -> str:
    return page(browser, reverse("admin:ingestion_sourcefile_rows", args=[file.pk]) + address)


def test_pages_of_rows_go_on_and_back(client_under_test: ClientUnderTest, operator: Browser) -> None:
    lines = "".join(f"{'odd' if number % 2 else 'even'}\n" for number in range(1, 241))
    file = ingest(client_under_test, csv_gz("n\n" + lines))
    search = "?find=odd&in=0"
    first, links = links_of(operator, file, search)
    assert (first, "prev" in links) == (list(range(1, 101, 2)), False)
    second, links = links_of(operator, file, links["next"])
    assert second == list(range(101, 201, 2))
    third, links = links_of(operator, file, links["next"])
    assert (third, "next" in links) == (list(range(201, 241, 2)), False)
    again, links = links_of(operator, file, links["prev"])
    assert again == second
    again, links = links_of(operator, file, links["prev"])
    assert (again, "prev" in links) == (first, False)
    assert links_of(operator, file, links["next"])[0] == second


LONG = "x" * 10 * 2**20


def test_a_page_of_rows_shows_how_long_values_begin_and_stays_small(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz(f"a,b\n1,{LONG}\n2,y\n3,{LONG}\n"))
    plain = ingest(client_under_test, csv_gz("a,b\n1,x\n2,y\n3,z\n"), "exports/plain.csv.gz")
    text = rows_of(operator, file)
    assert len(text) < len(rows_of(operator, plain)) + 3000
    assert text.count("10,485,760 characters in all") == 2
    assert re.search("<td>x{1000} <span", text)
    assert "characters in all" not in rows_of(operator, plain)
    assert "characters in all" not in rows_of(operator, file, columns="a"), "a hidden column"
    alone = page(operator, passport(file))
    assert len(alone) < 200_000
    assert "10,485,760 characters in all" in alone


def test_a_page_of_rows_ends_early_where_it_would_be_long(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    names, cells = ",".join(f"c{n}" for n in range(200)), ",".join(["y" * 900] * 200)
    file = ingest(client_under_test, csv_gz(names + "\n" + (cells + "\n") * 12))
    first, links = links_of(operator, file)
    assert first == [1, 2, 3, 4, 5]
    second, links = links_of(operator, file, links["next"])
    assert second == [6, 7, 8, 9, 10]
    third, links = links_of(operator, file, links["next"])
    assert (third, "next" in links) == ([11, 12], False)
    assert links_of(operator, file, links["prev"])[0] == second


def test_what_takes_too_long_says_so_and_what_to_do(
    client_under_test: ClientUnderTest, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = ingest(client_under_test, csv_gz("a\n" + f"{LONG}\n" * 3))
    monkeypatch.setattr(row_pages, "SECONDS_TO_FIND", 0.001)
    assert "Begin behind a later row number." in rows_of(operator, file, find="y", **{"in": 0})
    assert "These rows are too large to be read together" in rows_of(operator, file)


def test_columns_and_rows_are_found(client_under_test: ClientUnderTest, operator: Browser) -> None:
    file = ingest(client_under_test, csv_gz("bill/Payer,lineItem/Cost\np1,10%\np2,20_\np1,30\n"))
    assert '<th scope="col">bill/Payer' not in rows_of(operator, file, columns="COST")
    found = rows_of(operator, file, find="p1", **{"in": 0})
    assert ("<td>10%" in found, "<td>20_" in found, "<td>30" in found) == (True, False, True)
    literally = rows_of(operator, file, find="%", **{"in": 1})
    assert ("<td>10%" in literally, "<td>30" in literally) == (True, False), "no pattern"
    assert "Choose the column" in rows_of(operator, file, find="p1")


@pytest.mark.parametrize(
    "search",
    [
        {"after": "-1"},
        {"after": "9" * 40},
        {"before": "9" * 40},
        {"before": "0"},
        {"in": "77", "find": "x"},
        {"find": "\0", "in": "0"},
    ],
)
def test_an_address_that_makes_no_sense_is_no_error(
    client_under_test: ClientUnderTest, operator: Browser, search: dict[str, str]
) -> None:
    rows_of(operator, ingest(client_under_test, csv_gz("n\n1\n")), **search)


def test_a_passport_names_version_row_delivery_and_the_line_that_fetches_it(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, b"n,m\n1,\n", HOSTILE)
    answer = operator.get(passport(file), secure=True)
    words = shlex.split(answer.context["command"])
    assert words[:3] == ["aws", "s3api", "get-object"]
    told = dict(zip(words[3:-1:2], words[4:-1:2], strict=True))
    assert (told["--bucket"], told["--key"]) == (client_under_test.account.bucket, HOSTILE)
    assert (told["--if-match"], told["--expected-bucket-owner"]) == (file.etag, file.connection.owner)
    echoed = subprocess.run(
        ["sh", "-c", answer.context["command"].replace("aws ", "printf '%s\\n' ", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert HOSTILE in echoed.stdout.splitlines()
    text = answer.content.decode()
    assert "<script>alert" not in text
    assert "Current" in text


def test_a_passport_names_the_manifest_that_listed_the_file_and_its_version(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    service = BillingService(client_under_test.account)
    export = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
    delivered = service.deliver(export, date(2026, 3, 1), [cur2_parquet(date(2026, 3, 1), 3, 1)])
    client_under_test.ingest()
    text = page(operator, passport(client_under_test.file(delivered.data_keys[0]), 2))
    manifest = delivered.manifest_keys[-1]
    assert f"manifest {manifest}" in text
    assert escape(client_under_test.account.etag(manifest)) in text


def test_odd_things_of_a_file_are_told_on_its_page(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz("a,<b>,<b>\r1,2,3\n\n"))
    told = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    for odd in ("1 blank lines", "1 lines that a carriage return alone ends", "named &#x27;&lt;b&gt;&#x27;"):
        assert odd in told
    plain = ingest(client_under_test, csv_gz("a\n1\n"), "exports/plain/file.csv.gz")
    assert "Odd, and" not in page(operator, reverse("admin:ingestion_sourcefile_change", args=[plain.pk]))


def test_a_row_is_read_again_and_compared(client_under_test: ClientUnderTest, operator: Browser) -> None:
    file = ingest(client_under_test, csv_gz("n,m\n1,a\n2,b\n3,c\n"))
    assert "every cell is the same" in operator.post(passport(file, 2), secure=True).content.decode()
    done = StaffAction.objects.get(action="read row again")
    assert (done.actor, done.source_file, done.detail) == ("operator", file, {"row": 2})
    table = f"billing_rawrow_{client_under_test.connection.pk}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        cursor.execute(f"UPDATE {table} SET \"values\" = '{{2,forged}}' WHERE row_number = 2")
    text = operator.post(passport(file, 2), secure=True).content.decode()
    assert "It differs." in text
    assert "&#x27;forged&#x27; stored, &#x27;b&#x27; in the file" in text
    client_under_test.account.put_object(KEY, csv_gz("n,m\n9,z\n"))
    assert "Could not be compared" in operator.post(passport(file, 1), secure=True).content.decode()


@pytest.mark.parametrize("group", ["viewer", "onboarder"])
def test_who_may_only_look_sees_rows_and_passports_and_may_not_have_them_read_again(
    client_under_test: ClientUnderTest, group: str
) -> None:
    file, viewer = ingest(client_under_test, csv_gz("n\n1\n")), browser_of(group)
    rows_of(viewer, file)
    assert '<form method="post">' not in page(viewer, passport(file))
    assert viewer.post(passport(file), secure=True).status_code == 403
    assert not AwsUse.objects.filter(run__startswith="r").exists()
    assert "retry_now" not in page(viewer, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))


def test_a_stranger_sees_nothing_and_a_row_that_is_none_is_not_found(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz("n\n1\n"))
    for none in (0, 2, 10**30):
        assert operator.get(passport(file, none), secure=True).status_code == 404
    for path in (passport(file), reverse("admin:ingestion_sourcefile_rows", args=[file.pk])):
        assert Browser().get(path, secure=True).status_code == 302
