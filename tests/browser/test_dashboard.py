"""The dashboard in a browser: a load while it is looked at, and every colour of the calendar."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from ingestion.models import LoadAttempt
from kcx.dashboard.calendar import Coverage
from tests.browser.conftest import Opened
from tests.browser.looks import hard_to_read, too_wide
from tests.kcx.situations import (
    a_connection,
    a_delivery,
    a_file,
    a_load,
    a_worker,
    an_export,
    months_ago,
    this_month,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

BERLIN = ZoneInfo("Europe/Berlin")  # as the browsers of these tests
MIB = 2**20


def test_a_load_is_followed_while_it_is_looked_at(opened: Opened) -> None:
    a_worker()
    export = an_export(a_connection())
    file = a_file(export, "NEW", key="exports/large.csv.gz", size=100 * MIB)
    attempt = a_load(file, rows=5_000, bytes_read=10 * MIB, seconds=10)
    page = opened("viewer")
    page.clock.install()
    page.goto("/admin/")
    row = page.locator("#connections tbody tr")
    expect(row).to_contain_text("10%, 5,000 rows, 500 rows/s, 1 min 30 s left")
    expect(row.get_by_text("Loading now")).to_be_visible()
    assert too_wide(page) == []
    link = row.get_by_role("link", name="large.csv.gz")
    link.focus()
    running = LoadAttempt.objects.filter(pk=attempt.pk)
    told_at = attempt.started_at + timedelta(seconds=40)
    running.update(rows=80_000, bytes_read=80 * MIB, progress_at=told_at)
    delivered = a_delivery(export, at=timezone.now() - timedelta(hours=3))
    page.clock.fast_forward(10_000)
    expect(row).to_contain_text("80%, 80,000 rows, 2,000 rows/s, 10 s left")
    expect(row.get_by_role("progressbar")).to_have_js_property("value", 80)
    expect(link).to_be_focused()
    shown = row.locator("time.kcx-time").first
    expect(shown).to_have_text(f"{delivered.delivered_at.astimezone(BERLIN):%Y-%m-%d %H:%M}")
    running.update(outcome="SUCCEEDED", ended_at=datetime.now(BERLIN))
    page.clock.fast_forward(10_000)
    expect(row.get_by_role("progressbar")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
def test_every_state_of_the_calendar_can_be_read(opened: Opened, dark: bool) -> None:
    a_worker()
    one = a_connection()
    export = an_export(one)
    for months, status, file in (
        (5, "CURRENT", "INGESTED"),
        (3, "CURRENT", "INGESTED"),
        (2, "INCOMPLETE", "INGESTED"),
        (1, "INCOMPLETE", "FAILED"),
    ):
        period = months_ago(months)
        a_delivery(export, status, period=period, files=[a_file(export, file, billing_period_start=period)])
    a_delivery(export, "SUPERSEDED", period=months_ago(3))
    a_file(an_export(one, "unwanted", "IGNORE"), "NEW", billing_period_start=this_month())
    page = opened("viewer", dark=dark)
    for address in ("/admin/", f"/admin/coverage/?connection={one.pk}"):
        page.goto(address)
        for state in Coverage:
            expect(page.locator(".kcx-cell", has_text=state.words).first).to_be_visible()
        assert hard_to_read(page) == []
