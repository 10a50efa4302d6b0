"""Onboarding in a browser: from an empty KCX to the first rows, and a failed rung mended."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from ingestion.models import ClientConnection
from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.server import SimulatedAws
from tests.browser.conftest import Opened
from tests.browser.tasks import run_queue
from tests.builders import csv_gz

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/file.csv.gz"


@pytest.fixture
def account(aws: SimulatedAws) -> ClientAccount:
    """The account of a client that KCX does not know yet, with one export."""
    made = ClientAccount("210000000001", "aurora-billing", "exports/")
    made.create_bucket()
    made.put_object(KEY, csv_gz("service,cost\nAmazonEC2,1.25\nAmazonS3,0.50\n"))
    return made


def add_connection(page: Page) -> None:
    page.goto("/admin/")
    page.get_by_role("link", name="Add a connection").click()
    page.get_by_label("or a new client's name").fill("Aurora Retail")
    page.get_by_label("Bucket").fill("aurora-billing")
    page.get_by_label("Prefix").fill("exports/")
    page.get_by_label("Region").fill("eu-central-1")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Added: Aurora Retail aurora-billing.")).to_be_visible()


def text_for_client(page: Page, title: str) -> dict[str, object]:
    """One of the texts, as the person who copies it gets it."""
    page.locator(".kcx-tabs > label").filter(has_text=title).click()
    shown = page.locator(".kcx-tabs textarea:visible")
    return json.loads(shown.input_value())


def make_role(page: Page, account: ClientAccount) -> None:
    """The client makes its role of what the page shows, and sends the ARN."""
    account.put_role(text_for_client(page, "Trust policy"), text_for_client(page, "Permission policy"))
    page.get_by_label("The role that the client made").fill(account.role_arn)
    page.get_by_role("button", name="Enter the role").click()
    expect(page.get_by_text("The role is entered")).to_be_visible()


def verify(page: Page) -> None:
    page.get_by_role("button", name="Verify access").click()
    expect(page.locator("#ladder").get_by_text("Being checked", exact=True)).to_be_visible()
    run_queue()


def test_from_an_empty_database_to_the_first_rows(account: ClientAccount, opened: Opened) -> None:
    page = opened("onboarder")
    add_connection(page)
    external_id = ClientConnection.objects.get().external_id
    expect(page.locator("#now").get_by_text(external_id)).to_be_visible()
    make_role(page, account)
    verify(page)
    expect(page.locator("#ladder").get_by_text("Access works", exact=True)).to_be_visible()

    page.get_by_role("button", name="Look what is there").last.click()
    expect(page.locator("#now").get_by_text("Queued", exact=True)).to_be_visible()
    run_queue()
    plan = page.get_by_role("form", name="3. The plan")
    expect(plan.get_by_text("1 file, 56 B", exact=True)).to_be_visible()
    plan.get_by_role("combobox").select_option(label="Load")
    plan.get_by_role("button", name="Approve and start").click()
    expect(page.get_by_text("Approved: the connection is enabled")).to_be_visible()
    run_queue()
    expect(page.locator("#now").get_by_text("0 waiting")).to_be_visible()

    page.get_by_role("link", name="Files", exact=True).click()
    page.get_by_role("link", name=KEY).click()
    page.get_by_role("link", name="See its 2 rows").click()
    rows = page.get_by_role("region", name="Rows of the file")
    expect(rows.get_by_role("cell", name="AmazonEC2")).to_be_visible()
    expect(rows.get_by_role("cell", name="0.50")).to_be_visible()


@pytest.mark.parametrize("by", ["clipboard API", "execCommand", "nothing"])
def test_copy_copies_what_is_shown_and_says_so_only_then(opened: Opened, by: str) -> None:
    page = opened("onboarder")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    add_connection(page)
    text = page.locator(".kcx-tabs textarea:visible")
    button = page.locator(".kcx-tabs [data-copy]:visible")
    page.evaluate("navigator.clipboard.writeText('before')")
    if by != "clipboard API":  # without TLS there is none
        page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()) }")
    if by == "nothing":
        page.evaluate("() => { document.execCommand = () => false }")
    button.click()
    expect(button).to_have_text("Selected: copy it by hand" if by == "nothing" else "Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.replace("\r\n", "\n") == ("before" if by == "nothing" else text.input_value())


def test_a_failed_rung_is_mended_and_access_verified_again(account: ClientAccount, opened: Opened) -> None:
    page = opened("onboarder")
    add_connection(page)
    trust = text_for_client(page, "Trust policy")
    make_role(page, account)
    account.set_trust(json.loads(json.dumps(trust).replace("999900001111", "111122223333")))
    verify(page)
    ladder = page.locator("#ladder")
    expect(ladder.get_by_text("Access check failed", exact=True)).to_be_visible()
    refused = ladder.get_by_role("listitem").filter(has=page.get_by_text(re.compile("^Failed$")))
    expect(refused).to_contain_text("What to do")
    expect(page.get_by_role("button", name="Approve and start")).to_have_count(0)

    account.set_trust(trust)
    verify(page)
    expect(ladder.get_by_text("Access works", exact=True)).to_be_visible()
    expect(refused).to_have_count(0)
