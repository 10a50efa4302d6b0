"""A file in a browser: retried with a reason, passports of its rows, and names that would be more."""

from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from ingestion.models import StaffAction
from tests.browser.conftest import Opened, member
from tests.browser.tasks import run_queue
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.admin.everything import one_of_everything

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/file.csv.gz"
SCRIPT = "<script>alert(document.domain)</script>"
BEGIN = f'exports/it\'s "quoted"/{SCRIPT}/ünï-漢字-\u202e/'
# S3 allows 1,024 bytes of UTF-8.
HOSTILE = BEGIN + "x" * (1024 - len(BEGIN.encode()) - len(".csv")) + ".csv"


def test_a_failed_file_is_retried_by_a_button_with_a_reason(
    client_under_test: ClientUnderTest, opened: Opened, settings: Any
) -> None:
    client = client_under_test
    client.account.put_object(KEY, csv_gz("a,b\n1,2\n"))
    settings.KCX_MAX_COLUMNS = 1
    client.ingest()
    page = opened("operator")
    page.goto(f"/admin/ingestion/sourcefile/{client.file(KEY).pk}/change/")
    expect(page.get_by_text("too_large").first).to_be_visible()
    settings.KCX_MAX_COLUMNS = 10
    page.get_by_role("button", name="Retry").click()
    page.get_by_label("Why?").fill('it\'s "mended" <b>now</b>')
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Retry: 1 of 1 files.")).to_be_visible()
    expect(page.get_by_text('it\'s "mended" <b>now</b>')).to_be_visible()
    done = StaffAction.objects.filter(actor="operator").get()
    assert (done.action, done.reason) == ("retry", 'it\'s "mended" <b>now</b>')
    run_queue()
    page.reload()
    expect(page.get_by_role("link", name="See its 1 row")).to_be_visible()


def test_a_retry_without_a_reason_is_not_sent(client_under_test: ClientUnderTest, opened: Opened) -> None:
    client_under_test.account.put_object(KEY, csv_gz("a,b\n1,2\n")[:-4])
    client_under_test.ingest()
    page = opened("operator")
    page.goto(f"/admin/ingestion/sourcefile/{client_under_test.file(KEY).pk}/change/")
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_label("Why?")).to_be_focused()
    assert not StaffAction.objects.filter(actor="operator").exists()


def test_a_row_has_a_passport_and_is_compared_with_its_source(
    client_under_test: ClientUnderTest, opened: Opened
) -> None:
    client = client_under_test
    client.account.put_object(KEY, csv_gz("service,cost\nAmazonEC2,1.25\nAmazonS3,\n"))
    client.ingest()
    file = client.file(KEY)
    page = opened("operator")
    page.goto(f"/admin/ingestion/sourcefile/{file.pk}/rows/")
    page.get_by_role("link", name="2", exact=True).click()
    expect(page.get_by_role("row", name="service")).to_contain_text("AmazonS3")
    expect(page.get_by_role("row", name="cost")).to_contain_text("NULL")
    command = page.get_by_role("textbox").filter(has_text="get-object").input_value()
    assert f"--if-match '{file.etag}'" in command
    page.get_by_role("button", name="Re-read this row").click()
    expect(page.get_by_text("every cell is the same")).to_be_visible()


def test_hostile_keys_and_values_are_text_everywhere(
    client_under_test: ClientUnderTest, opened: Opened
) -> None:
    client = client_under_test
    client.account.put_object(HOSTILE, f'"{SCRIPT}",b\n"<img src=x onerror=alert(1)>",{SCRIPT}\n'.encode())
    client.ingest()
    file = client.file(HOSTILE)
    assert len(file.key.encode()) == 1024
    for width in (1280, 390):
        page = opened("operator", width=width)
        for address in ("", f"{file.pk}/change/", f"{file.pk}/rows/", f"{file.pk}/rows/1/"):
            page.goto(f"/admin/ingestion/sourcefile/{address}")
            assert SCRIPT in page.locator("body").inner_text() or page.get_by_title(HOSTILE).count() == 1
            assert page.locator("img[src=x]").count() == 0
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), address


def test_hostile_texts_are_text_on_every_page_there_is(raw_database: None, opened: Opened) -> None:
    """The pages are watched: no dialog, no error in the console, no request to another host."""
    everything = one_of_everything(text=f"{SCRIPT}<img src=x onerror=alert(1)>\u202e")
    page = opened("onboarder")
    chief = member("onboarder")
    chief.is_superuser = True
    chief.save()
    connection, file = everything["ingestion.clientconnection"].pk, everything["ingestion.sourcefile"].pk
    pages = ["/admin/", f"/admin/coverage/?connection={connection}"]
    pages += [f"/admin/ingestion/clientconnection/{connection}/{name}/" for name in ("home", "transparency")]
    for label, one in everything.items():
        of_it = f"/admin/{label.replace('.', '/')}/"
        pages += [of_it, f"{of_it}{quote(str(one.pk), safe='')}/change/", f"{of_it}{one.pk}/history/"]
    shown = 0
    for address in pages:
        page.goto(address)
        assert page.locator("img[src=x]").count() == 0, address
        shown += SCRIPT in page.locator("body").inner_text()
    assert shown > len(pages) / 2
    page.goto("/admin/ingestion/sourcefile/")
    page.locator(f"input.action-select[value='{file}']").check()
    page.locator("select[name=action]").first.select_option("retry_now")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("Why?")).to_be_visible()
    assert SCRIPT in page.locator("body").inner_text()
