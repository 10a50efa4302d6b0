"""All main pages in a browser: narrow, dark, by keyboard, and for those who may only look."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from ingestion.models import (
    AccessCheck,
    AwsUse,
    Delivery,
    DiscoveryRun,
    LoadAttempt,
    Receipt,
    SourceFile,
    StaffAction,
)
from ingestion.reruns import retry
from tests.browser.conftest import PASSWORD, Opened, member
from tests.browser.looks import cut_off, hard_to_read, is_dark, too_wide
from tests.builders import ClientUnderTest, csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

BERLIN = ZoneInfo("Europe/Berlin")  # as the browsers of these tests
KEY = "exports/lines/file.csv.gz"
BROKEN = "exports/lines/broken.csv.gz"


@pytest.fixture
def client(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """A client with a file that was loaded and one that failed."""
    client_under_test.account.put_object(KEY, csv_gz("a,b\n1,2\n"))
    client_under_test.account.put_object(BROKEN, csv_gz("a,b\n1,2\n")[:-4])
    client_under_test.ingest()
    return client_under_test


def main_pages(client: ClientUnderTest) -> list[str]:
    file, broken, connection = client.file(KEY).pk, client.file(BROKEN).pk, client.connection.pk
    lists = ("client", "clientconnection", "export", "sourcefile", "delivery", "loadattempt", "discoveryrun")
    audits = ("receipt", "verification", "accesscheck", "staffaction", "worker", "awsuse", "event")
    records = [model.objects.latest("pk") for model in (LoadAttempt, DiscoveryRun, Receipt, Delivery, AwsUse)]
    return [
        "/admin/",
        "/admin/coverage/",
        "/admin/ingestion/clientconnection/add/",
        f"/admin/ingestion/clientconnection/{connection}/home/",
        f"/admin/ingestion/clientconnection/{connection}/change/",
        f"/admin/ingestion/clientconnection/{connection}/transparency/",
        *(f"/admin/ingestion/{model}/" for model in (*lists, *audits)),
        f"/admin/ingestion/sourcefile/{file}/change/",
        f"/admin/ingestion/sourcefile/{broken}/change/",
        f"/admin/ingestion/sourcefile/{file}/rows/",
        f"/admin/ingestion/sourcefile/{file}/rows/1/",
        *(f"/admin/ingestion/{one._meta.model_name}/{one.pk}/change/" for one in records),
    ]


def with_buttons(client: ClientUnderTest) -> list[str]:
    """Pages that have buttons for others."""
    file, broken, connection = client.file(KEY).pk, client.file(BROKEN).pk, client.connection.pk
    return [
        f"/admin/ingestion/clientconnection/{connection}/home/",
        f"/admin/ingestion/clientconnection/{connection}/change/",
        "/admin/ingestion/sourcefile/",
        f"/admin/ingestion/sourcefile/{file}/change/",
        f"/admin/ingestion/sourcefile/{broken}/change/",
        f"/admin/ingestion/sourcefile/{file}/rows/1/",
    ]


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)], ids=["desktop", "phone at night"])
def test_main_pages_fit_and_are_legible_in_the_colours_the_person_wants(
    client: ClientUnderTest, opened: Opened, width: int, dark: bool
) -> None:
    page = opened("onboarder", width=width, dark=dark)
    for address in main_pages(client):
        page.goto(address)
        assert too_wide(page) == [], address
        assert cut_off(page) == [], address
        assert is_dark(page) == dark, address
        assert hard_to_read(page) == [], address


def test_from_the_login_to_a_file_by_keyboard(client: ClientUnderTest, opened: Opened) -> None:
    member("operator")
    page = opened(None)
    page.goto("/admin/")
    for name, text in (("username", "operator"), ("password", PASSWORD)):
        reach(page, f"input[name={name}]")
        page.keyboard.type(text)
    reach(page, "button[type=submit]")
    press_enter(page)
    expect(page.get_by_role("heading", name="Coverage calendar")).to_be_visible()
    reach(page, "a[href='/admin/ingestion/sourcefile/']")
    press_enter(page)
    reach(page, f"a[href*='/sourcefile/{client.file(KEY).pk}/change/']")
    press_enter(page)
    expect(page.get_by_role("heading", name=KEY)).to_be_visible()
    reach(page, "a:has-text('See its 1 row')")
    press_enter(page)
    expect(page.get_by_role("region", name="Rows of the file")).to_be_visible()


def test_buttons_chips_cells_and_reading_again_are_pressed_by_keyboard(
    client: ClientUnderTest, opened: Opened
) -> None:
    page = opened("operator")
    page.goto("/admin/")
    reach(page, "#state-retrying")
    press_enter(page)
    assert "state=retrying" in page.url
    page.goto(f"/admin/coverage/?connection={client.connection.pk}")
    reach(page, "a.kcx-cell")
    press_enter(page)
    expect(page.get_by_text("Clear all filters")).to_be_attached()
    page.goto(f"/admin/ingestion/sourcefile/{client.file(BROKEN).pk}/change/")
    reach(page, "button[value=retry_now]")
    press_enter(page)
    reach(page, "#reason")
    page.keyboard.type("by keyboard")
    reach(page, "button:has-text('Retry')")
    press_enter(page)
    assert StaffAction.objects.get(action="retry").reason == "by keyboard"
    page.goto(f"/admin/ingestion/sourcefile/{client.file(KEY).pk}/rows/1/")
    reach(page, "button:has-text('Re-read this row')")
    press_enter(page)
    expect(page.get_by_text("every cell is the same")).to_be_visible()


def reach(page: Page, selector: str) -> None:
    """Press Tab until the element is focused, visibly."""
    for _ in range(80):
        if page.locator(f"{selector}:focus").count():
            assert page.locator(f"{selector}:focus").first.is_visible()
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"not reached by Tab: {selector}")


def press_enter(page: Page) -> None:
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_a_viewer_is_shown_no_button_and_a_forged_post_is_refused(
    client: ClientUnderTest, opened: Opened
) -> None:
    page = opened("viewer")
    connection, broken = client.connection.pk, client.file(BROKEN).pk
    for address in with_buttons(client):
        page.goto(address)
        for name in ("Verify access", "Discover now", "Disable", "Save", "Retry", "Skip", "Re-read this row"):
            assert page.get_by_role("button", name=name, exact=True).count() == 0, (address, name)
    token = next(one["value"] for one in page.context.cookies() if one["name"] == "csrftoken")
    for what in ("verify", "discover", "decide", "start", "stop", "role"):
        address = f"/admin/ingestion/clientconnection/{connection}/do/{what}/"
        answer = page.request.post(address, form={"csrfmiddlewaretoken": token}, max_redirects=0)
        assert answer.status == 403, what
    forged = {
        "csrfmiddlewaretoken": token,
        "action": "retry_now",
        "_selected_action": str(broken),
        "reason": "x",
    }
    answer = page.request.post("/admin/ingestion/sourcefile/", form=forged, max_redirects=0)
    assert answer.status == 403
    assert client.file(BROKEN).requested_by == ""
    assert not StaffAction.objects.filter(actor="viewer").exists()
    assert not AccessCheck.objects.filter(actor="viewer").exists()


def test_the_registry_tells_what_changes_while_it_is_looked_at(
    client: ClientUnderTest, opened: Opened
) -> None:
    page = opened("operator")
    page.clock.install()
    page.goto("/admin/ingestion/sourcefile/")
    chosen = page.locator("tr", has_text=BROKEN).locator("input.action-select")
    chosen.check()
    SourceFile.objects.filter(key=BROKEN).update(error_message="Something else by now.")
    page.clock.fast_forward(10_000)
    expect(page.get_by_text("Something else by now.")).to_be_visible()
    expect(chosen).to_be_checked()


def test_a_row_that_no_longer_belongs_to_the_list_says_so_and_is_not_counted(
    client_under_test: ClientUnderTest, opened: Opened, settings: Any
) -> None:
    client = client_under_test
    client.account.put_object(KEY, csv_gz("a,b\n1,2\n"))
    settings.KCX_MAX_COLUMNS = 1
    client.ingest()
    page = opened("operator")
    page.clock.install()
    page.goto("/admin/ingestion/sourcefile/?status__exact=FAILED")
    row, count = page.locator("tr.data-row", has_text=KEY), page.locator(".kcx-pages")
    expect(row).to_contain_text("too_large")
    expect(count).to_contain_text("1 source file")
    settings.KCX_MAX_COLUMNS = 10
    retry(SourceFile.objects.filter(key=KEY))
    client.load_all()
    assert client.file(KEY).status == "INGESTED"
    page.clock.fast_forward(10_000)
    expect(row).to_contain_text("No longer on this page")
    expect(count).to_contain_text("0 source files")
    expect(row).not_to_contain_text("Failed")
    expect(row).not_to_contain_text("too_large")


def test_times_are_those_of_the_readers_zone_and_utc_on_hover(
    client: ClientUnderTest, opened: Opened
) -> None:
    page = opened("operator")
    file = client.file(KEY).pk
    for address in ("/admin/ingestion/loadattempt/", f"/admin/ingestion/sourcefile/{file}/change/"):
        page.goto(address)
        times = page.locator("time.kcx-time")
        expect(times.first).to_have_attribute("data-local", "yes")
        for shown in times.all():
            moment = datetime.fromisoformat(shown.get_attribute("datetime") or "")
            assert shown.inner_text() == f"{moment.astimezone(BERLIN):%Y-%m-%d %H:%M}"
            assert shown.get_attribute("title") == f"{moment:%Y-%m-%d %H:%M:%S} UTC"
            assert moment.astimezone(BERLIN).utcoffset() != moment.utcoffset()


def test_the_transparency_page_prints_black_on_white_without_what_is_only_for_the_screen(
    client: ClientUnderTest, opened: Opened
) -> None:
    page = opened("operator", dark=True)
    page.goto(f"/admin/ingestion/clientconnection/{client.connection.pk}/transparency/")
    on_screen = page.locator("#nav-sidebar, .kcx-screen").filter(visible=True)
    assert on_screen.count() > 1
    page.emulate_media(media="print", color_scheme="dark")
    assert on_screen.count() == 0
    title = page.locator(".kcx-print h2").first
    assert title.is_visible()
    look = "one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]"
    assert title.evaluate(look) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    for box in page.locator(".kcx-print .kcx-scroll").all():
        assert box.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert page.pdf()[:5] == b"%PDF-"
