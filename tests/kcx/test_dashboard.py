"""The dashboard: what it says of each situation, to whom, and at how many queries."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.partitions import partition_sizes
from ingestion.cadence import learn
from ingestion.loading import Loading
from ingestion.models import Client, ClientConnection, Delivery, Export, LoadAttempt, SourceFile
from kcx.dashboard.attention import attention
from kcx.dashboard.charts import Chart, bytes_chart, lag_chart, rows_chart
from kcx.dashboard.connections import Line, State, lines
from kcx.dashboard.figures import last_days, storage
from tests.kcx.situations import (
    a_check,
    a_connection,
    a_delivery,
    a_discovery,
    a_file,
    a_load,
    a_member,
    a_verification,
    a_worker,
    an_export,
    deliveries_every,
)

pytestmark = pytest.mark.django_db
MIB = 2**20
HOSTILE = "<script>alert('x')</script>\"&"


def page(browser: Browser, address: str = "/admin/", **query: Any) -> str:
    answer = browser.get(address, query, secure=True)
    assert answer.status_code == 200
    return answer.content.decode()


def loaded(file: SourceFile, at: datetime, *, outcome: str = "SUCCEEDED", **values: Any) -> None:
    """An attempt that ended at that time."""
    LoadAttempt.objects.create(
        source_file=file, actor="test", worker="w", outcome=outcome, ended_at=at, **values
    )


def series(chart: Chart) -> list[float | None]:
    """The chart's bars, as the browser is given them."""
    [dataset] = json.loads(chart.data)["datasets"]
    values: list[float | None] = dataset["data"]
    return values


def line_of(one: ClientConnection) -> Line:
    return next(line for line in lines() if line.id == one.pk)


def many_connections(count: int) -> list[ClientConnection]:
    """Without partitions, which the dashboard does not need, at one statement."""
    owner, _ = Client.objects.get_or_create(name="owner of many")
    start = owner.connections.count()
    role = "arn:aws:iam::123456789012:role/kcx"
    made = ClientConnection.objects.bulk_create(
        ClientConnection(client=owner, name=f"many {n:03}", bucket=f"many-{n}", role_arn=role, enabled=True)
        for n in range(start, start + count)
    )
    for one in made:
        export = an_export(one)
        a_file(export, "FAILED")
        a_delivery(export)
    return made


class TestEveryState:
    def test_a_difference_is_told_until_a_verification_as_close_finds_it_gone(self) -> None:
        export = an_export(a_connection())
        one, file, other = export.connection, a_file(export), a_file(export)
        for told_of in (None, file):
            a_verification(one, "DIFFERENT", told_of, against_s3=told_of is file)
            a_verification(one, "NOT_COMPARED", told_of, against_s3=True)
        a_verification(one, "EQUAL", other, against_s3=True)
        a_verification(one, "EQUAL", file)
        (told,) = [entry for entry in attention(lines(), worker_works=True) if entry.about == one.name]
        assert (told.kind, told.tone) == ("Stored data differ", "bad")
        assert "2 verifications found" in told.cause
        a_verification(one, "EQUAL")
        a_verification(a_connection(), "EQUAL", file, against_s3=True)
        assert line_of(one).different == 0

    def test_a_disabled_connections_differences_are_told_but_not_those_of_purged_files(self) -> None:
        export = an_export(a_connection(enabled=False))
        purged = a_file(export, "SKIPPED", skip_reason="PURGED")
        a_verification(export.connection, "DIFFERENT", purged)
        assert line_of(export.connection).state is State.DISABLED
        a_verification(export.connection, "DIFFERENT")
        assert line_of(export.connection).state is State.DIFFERENT

    def test_a_fresh_connection_is_up_to_date(self) -> None:
        export = an_export(a_connection())
        a_file(export)
        deliveries_every(export, hours=8, count=4, last=1)
        line = line_of(export.connection)
        assert line.state is State.FRESH
        assert line.expectation.late_since is None
        assert line.expectation.expected == line.expectation.last + timedelta(hours=8)

    def test_one_that_has_nothing_yet_says_so(self) -> None:
        assert line_of(a_connection()).state is State.EMPTY

    def test_a_refused_discovery_is_access_lost_with_its_cause_and_next_action(self) -> None:
        one = a_connection()
        a_discovery(one, "assume_role_denied", "STS refused the role.")
        assert line_of(one).state is State.LOST
        [entry] = attention(lines(), worker_works=True)
        assert (entry.kind, entry.cause) == ("Access lost", "STS refused the role. Do this.")

    def test_a_discovery_that_failed_otherwise_is_not_called_access_lost(self) -> None:
        one = a_connection()
        a_discovery(one, "bad_manifest", "It is no JSON.")
        assert line_of(one).state is State.DISCOVERY_FAILED

    def test_a_later_discovery_that_succeeds_clears_it(self) -> None:
        one = a_connection()
        a_discovery(one, "assume_role_denied", "STS refused the role.")
        a_discovery(one)
        assert line_of(one).state is State.EMPTY

    def test_a_failed_check_turns_the_connection_red_with_the_rungs_remedy(self) -> None:
        one = a_connection()
        rungs = [
            {"code": "identity", "verdict": "passed"},
            {"code": "list", "verdict": "failed", "cause": "No list.", "remedy": "Grant it."},
        ]
        a_check(one, "FAILED", *rungs)
        a_check(one, "RUNNING")
        assert line_of(one).state is State.LOST
        assert attention(lines(), worker_works=True)[0].cause == "No list. Grant it."

    def test_a_check_that_fails_before_enabling_is_told_though_the_connection_is_disabled(self) -> None:
        one = a_connection(enabled=False)
        assert attention(lines(), worker_works=True) == []
        a_check(one, "FAILED")
        assert line_of(one).state is State.CHECK_FAILED
        assert [entry.kind for entry in attention(lines(), worker_works=True)] == ["Access check failed"]

    def test_a_role_found_unsafe_stays_red_though_the_check_disabled_the_connection(self) -> None:
        export = an_export(a_connection(enabled=False))
        a_file(export)
        a_check(export.connection, "FAILED")
        assert line_of(export.connection).state is State.DISABLED
        unsafe = {
            "code": "external_id_wrong",
            "verdict": "failed",
            "cause": "Unsafe.",
            "remedy": "Mend.",
        }
        a_check(export.connection, "FAILED", unsafe)
        assert line_of(export.connection).state is State.CHECK_FAILED
        assert attention(lines(), worker_works=True)[0].cause == "Unsafe. Mend."

    def test_failed_files_are_red_but_those_that_are_tried_again_are_not(self) -> None:
        export = an_export(a_connection())
        a_file(export, "FAILED", next_retry_at=timezone.now() + timedelta(minutes=5))
        assert line_of(export.connection).state is State.RETRYING
        a_file(export, "FAILED", error_code="ragged_row")
        assert line_of(export.connection).state is State.FAILED

    def test_failed_files_of_an_export_that_is_not_to_be_loaded_trouble_nobody(self) -> None:
        one = a_connection()
        unwanted = an_export(one, "unwanted", "IGNORE")
        a_file(unwanted, "FAILED")
        a_file(unwanted, "FAILED", next_retry_at=timezone.now() + timedelta(minutes=5))
        assert line_of(one).failed == []
        assert attention(lines(), worker_works=True) == []
        a_file(an_export(one, "wanted"), "FAILED")
        assert [failed.files for failed in line_of(one).failed] == [1]

    def test_an_incomplete_delivery_tells_its_reason(self) -> None:
        export = an_export(a_connection())
        a_delivery(export, "INCOMPLETE")
        assert line_of(export.connection).state is State.INCOMPLETE
        [entry] = attention(lines(), worker_works=True)
        assert "A listed file is missing." in entry.cause

    def test_archived_files_ask_for_a_restore_unless_no_delivery_that_counts_needs_them(self) -> None:
        one = a_connection()
        generic = an_export(one, "lines", key_layout="generic")
        a_file(generic, "SKIPPED", skip_reason="ARCHIVED")
        a_file(an_export(one), "SKIPPED", skip_reason="ARCHIVED")
        assert line_of(one).state is State.ARCHIVED
        [entry] = attention(lines(), worker_works=True)
        assert (entry.kind, entry.cause.split(". ")[:2]) == (
            "Archived files",
            [
                "1 file is in an archive storage class and cannot be read",
                "Ask the client to restore what is needed: it then loads by itself",
            ],
        )
        generic.decision = Export.Decision.IGNORE
        generic.save()
        assert line_of(one).archived == 0

    def test_an_export_that_awaits_a_decision_asks_for_it(self) -> None:
        export = an_export(a_connection(), decision="AWAITING")
        assert line_of(export.connection).state is State.AWAITING
        [entry] = attention(lines(), worker_works=True)
        assert entry.action == "Decide: load or not"
        assert entry.cause.endswith("awaits a decision: nothing new is loaded; what is current stays.")

    def test_waiting_files_are_those_that_will_load(self) -> None:
        one = a_connection()
        a_file(an_export(one, "wanted"), "NEW")
        a_file(an_export(one, "unwanted", "IGNORE"), "NEW")
        line = line_of(one)
        assert (line.state, line.waiting) == (State.WAITING, 1)

    def test_a_disabled_connection_is_grey_whatever_else_is_true(self) -> None:
        export = an_export(a_connection(enabled=False))
        a_file(export, "FAILED")
        assert line_of(export.connection).state is State.DISABLED
        assert attention(lines(), worker_works=False) == []

    def test_a_load_shows_progress_pace_and_time_left(self) -> None:
        export = an_export(a_connection())
        a_load(a_file(export, "NEW", size=1000), rows=500, bytes_read=250, seconds=10)
        assert line_of(export.connection).waiting == 0, "what is loading does not wait"
        [load] = line_of(export.connection).loading
        assert (load.percent, load.rows_per_second, load.seconds_left) == (25, 50, 30)
        assert line_of(export.connection).state is State.LOADING


def test_a_load_that_has_read_nothing_yet_promises_no_end() -> None:
    load = Loading(1, "a", rows=0, bytes_read=0, size=0, seconds=0)
    assert (load.percent, load.rows_per_second, load.seconds_left) == (0, None, None)


class TestCadence:
    NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)

    def times(self, *hours_ago: float) -> list[datetime]:
        return [self.NOW - timedelta(hours=hours) for hours in hours_ago]

    def test_under_three_deliveries_the_next_is_unknown(self) -> None:
        assert learn([self.times(1, 9)]).expected is None
        assert learn([]).late_since(self.NOW) is None

    def test_the_median_gap_is_not_led_astray_by_one_long_pause(self) -> None:
        assert learn([self.times(1, 9, 17, 65)]).gap == timedelta(hours=8)

    def test_on_the_first_of_a_month_the_gap_is_that_of_the_month_before(self) -> None:
        cadence = learn([self.times(2), self.times(10, 18, 26)])
        assert (cadence.last, cadence.gap) == (self.times(2)[0], timedelta(hours=8))

    @pytest.mark.parametrize(("last", "late"), [(11.9, False), (12.1, True)])
    def test_late_is_half_a_gap_past_the_expected_time(self, last: float, *, late: bool) -> None:
        cadence = learn([self.times(last, last + 8, last + 16)])
        assert (cadence.late_since(self.NOW) is not None) is late

    def test_a_late_connection_says_since_when(self) -> None:
        export = an_export(a_connection())
        a_file(export)
        deliveries_every(export, hours=8, count=4, last=30)
        line = line_of(export.connection)
        assert line.state is State.LATE
        [entry] = attention(lines(), worker_works=True)
        assert (entry.kind, entry.since) == ("Late", line.expectation.expected)

    def test_nothing_is_called_late_that_kcx_has_not_looked_for(self) -> None:
        export = an_export(a_connection())
        deliveries_every(export, hours=8, count=4, last=30)
        long_ago = timezone.now() - timedelta(hours=25)
        ClientConnection.objects.update(last_discovered_at=long_ago)
        assert line_of(export.connection).state is State.OVERDUE
        [entry] = attention(lines(), worker_works=True)
        assert (entry.kind, entry.since) == ("Discovery overdue", long_ago)
        assert [entry.kind for entry in attention(lines(), worker_works=False)] == ["No worker takes tasks"]

    def test_each_connection_is_judged_by_its_own_deliveries_only(self) -> None:
        slow, quick = an_export(a_connection()), an_export(a_connection())
        deliveries_every(slow, hours=24, count=4, last=20)
        deliveries_every(quick, hours=1, count=4, last=0)
        assert line_of(slow.connection).late_since is None
        expected = line_of(slow.connection).expectation
        assert expected.expected == expected.last + timedelta(hours=24)

    def test_where_files_come_by_key_the_newest_keys_tell_the_cadence(self) -> None:
        export = an_export(a_connection())
        now = timezone.now()
        for back in (3, 2, 1):
            a_delivery(export, at=now - back * timedelta(hours=6), key=f"exports/{back}.csv")
        assert line_of(export.connection).expectation.expected == now

    def test_files_by_key_that_come_in_parts_are_one_delivery_a_day(self) -> None:
        export = an_export(a_connection())
        newest = timezone.now() - timedelta(hours=20)
        for day, part in itertools.product((3, 2, 1, 0), range(12)):
            at = newest - timedelta(days=day, seconds=5 * (11 - part))
            a_delivery(export, at=at, key=f"exports/{day}/{part}.csv")
        line = line_of(export.connection)
        assert line.expectation.last == newest
        assert line.expectation.expected == newest + timedelta(days=1)
        assert line.late_since is None

    def test_the_same_keys_written_anew_each_day_are_one_delivery_a_day_too(self) -> None:
        export = an_export(a_connection())
        newest = timezone.now() - timedelta(hours=40)
        for day, part in itertools.product((2, 1, 0), range(3)):
            at = newest - timedelta(days=day, minutes=2 * part)
            a_delivery(export, "PENDING" if day else "CURRENT", at=at, key=f"exports/{part}.csv")
        assert line_of(export.connection).late_since == newest + timedelta(days=1)

    def test_a_dump_of_one_day_tells_no_cadence_yet(self) -> None:
        export = an_export(a_connection())
        for part in range(12):
            at = timezone.now() - timedelta(hours=5, seconds=5 * part)
            a_delivery(export, at=at, key=f"exports/{part}.csv")
        assert line_of(export.connection).expectation.expected is None

    def test_an_export_that_is_not_loaded_is_never_late(self) -> None:
        export = an_export(a_connection(), decision="IGNORE")
        deliveries_every(export, hours=8, count=4, last=90)
        assert line_of(export.connection).expectation.late_since is None


class TestAttention:
    def test_failed_files_are_grouped_by_cause_over_all_connections(self) -> None:
        for _ in range(2):
            export = an_export(a_connection())
            a_file(export, "FAILED")
            a_file(export, "FAILED")
        [entry] = attention(lines(), worker_works=True)
        assert (entry.kind, entry.about) == ("4 failed files", "2 connections")
        assert entry.cause.startswith("corrupt_gzip: It is cut short.")

    def test_no_worker_is_told_only_where_there_is_work_for_one(self) -> None:
        assert attention([], worker_works=False) == []
        a_connection()
        assert attention(lines(), worker_works=False)[0].kind == "No worker takes tasks"

    def test_of_one_kind_three_are_told_and_the_rest_counted(self) -> None:
        for _ in range(5):
            a_discovery(a_connection(), "assume_role_denied", "No.")
        told = attention(lines(), worker_works=True)
        assert [entry.about for entry in told][3:] == ["2 more connections"]
        assert "state=lost" in told[-1].link

    def test_every_link_of_an_entry_opens_and_a_list_says_what_it_is_narrowed_to(self) -> None:
        export = an_export(a_connection())
        a_file(export, "FAILED")
        a_file(
            an_export(export.connection, "generic", key_layout="generic"), "SKIPPED", skip_reason="ARCHIVED"
        )
        a_delivery(export, "INCOMPLETE")
        an_export(a_connection(), decision="AWAITING")
        a_discovery(a_connection(), "bad_manifest", "No.")
        entries = attention(lines(), worker_works=False)
        assert len(entries) == 6
        browser = a_member("viewer")
        answers = {entry.kind: browser.get(entry.link, secure=True) for entry in entries}
        assert {answer.status_code for answer in answers.values()} == {200}
        lists = {
            kind: answer.context["cl"]
            for kind, answer in answers.items()
            if "?" in answer.wsgi_request.get_full_path()
        }
        assert set(lists) == {"1 failed file", "Incomplete delivery", "Archived files", "Awaiting decision"}
        for kind, listed in lists.items():
            assert len(listed.result_list) == 1, kind
            assert listed.has_active_filters, kind
            assert {name for name in listed.filter_params if name not in consumed(listed)} == set(), kind


def consumed(listed: Any) -> set[str]:
    """The parameters that the list's filters know, and so show and clear."""
    return {name for spec in listed.filter_specs for name in spec.used_parameters}


class TestThePage:
    def test_with_nothing_yet_it_says_what_to_do_first_and_gives_the_button_to_who_may(self) -> None:
        button = 'href="/admin/ingestion/clientconnection/add/"'
        onboarders, viewers = page(a_member("onboarder")), page(a_member("viewer"))
        assert "three steps to the first rows" in onboarders
        assert button in onboarders
        assert "three steps to the first rows" in viewers
        assert button not in viewers

    def test_a_stranger_is_sent_to_the_login_and_staff_of_no_group_read_nothing(self) -> None:
        one = a_connection("the secret client")
        assert Browser().get("/admin/", secure=True).status_code == 302
        assert Browser().get("/admin/coverage/", secure=True).status_code == 302
        nobody = a_member(None)
        assert one.name not in page(nobody)
        assert nobody.get("/admin/dashboard/live", secure=True).status_code == 403
        assert nobody.get("/admin/coverage/", secure=True).status_code == 403

    def test_a_login_without_a_page_to_go_to_ends_on_the_dashboard(self) -> None:
        User.objects.create_user("somebody", password="of the test", is_staff=True)
        form = {"username": "somebody", "password": "of the test"}
        assert Browser().post("/admin/login/", form, secure=True).headers["Location"] == "/admin/"

    def test_a_poll_after_the_login_ended_reloads_the_page(self) -> None:
        answer = Browser().get("/admin/dashboard/live", secure=True)
        assert (answer.status_code, answer.headers["HX-Refresh"]) == (403, "true")

    def test_the_live_part_is_asked_for_again_with_what_was_chosen(self) -> None:
        a_connection("one of two")
        a_connection("another")
        shown = unescape(page(a_member("viewer"), q="one of", state="empty"))
        assert 'hx-get="/admin/dashboard/live?q=one+of&state=empty&page=1"' in shown
        polled = page(a_member("viewer"), "/admin/dashboard/live", q="one of", state="empty")
        assert "one of two" in polled
        assert "another" not in polled
        assert "<html" not in polled

    def test_hostile_names_and_errors_are_shown_as_text(self) -> None:
        one = a_connection(f"name {HOSTILE}", client=f"client {HOSTILE}")
        export = an_export(one, f"export {HOSTILE}")
        a_file(export, "FAILED", error_message=HOSTILE, error_code="x<script>")
        a_load(a_file(export, "NEW", key=f"exports/{HOSTILE}"), rows=1, bytes_read=1, seconds=1)
        a_delivery(export, "INCOMPLETE")
        for shown in (page(a_member("viewer")), page(a_member("viewer"), q=HOSTILE, state=HOSTILE)):
            assert "<script>alert" not in shown
            assert "x<script>" not in shown
        assert f"name {HOSTILE}" in unescape(page(a_member("viewer")))

    def test_the_figures_and_the_storage_of_clients_are_shown(self) -> None:
        file = a_file(an_export(a_connection(client="Client of note")))
        loaded(file, timezone.now(), rows=12_345)
        shown = page(a_member("viewer"))
        assert "Rows ingested per day (thousands)" in shown
        assert "12,345" in shown
        assert shown.index("Storage per client") < shown.rindex("Client of note")

    def test_the_lag_is_the_median_from_delivered_to_current_without_what_was_there_before_kcx(self) -> None:
        export = an_export(a_connection())
        now = timezone.now()
        ClientConnection.objects.update(created_at=now - timedelta(hours=2))
        for minutes in (1, 2, 60, 300):
            delivery = a_delivery(export, at=now - timedelta(minutes=minutes), key=f"after {minutes} minutes")
            Delivery.objects.filter(pk=delivery.pk).update(published_at=now)
        assert last_days()[-1].lag_seconds == 120

    def test_storage_is_added_up_by_client(self) -> None:
        a_connection(client="two of them")
        one = a_connection(client="two of them")
        a_connection(client="one of it")
        assert partition_sizes()[one.pk] > 0
        first, second = storage()
        assert (first.client, second.client) == ("two of them", "one of it")
        assert first.bytes == 2 * second.bytes
        assert round(first.percent + second.percent) == 100

    def test_a_reload_adds_to_today_and_leaves_the_day_of_the_first_load_as_it_was(self) -> None:
        file = a_file(an_export(a_connection()))
        now = timezone.now()
        loaded(file, now - timedelta(days=2), rows=3000, bytes_read=2 * MIB)
        SourceFile.objects.update(ingested_at=now)
        loaded(file, now, rows=3500, bytes_read=3 * MIB)
        assert series(rows_chart(last_days()))[-3:] == [3.0, 0.0, 3.5]
        assert series(bytes_chart(last_days()))[-3:] == [2.0, 0.0, 3.0]

    def test_a_load_that_runs_or_failed_is_in_no_chart(self) -> None:
        file = a_file(an_export(a_connection()), "NEW")
        a_load(file, rows=500, bytes_read=5000, seconds=1)
        loaded(file, timezone.now(), rows=700, bytes_read=7000, outcome="FAILED", error_code="corrupt_gzip")
        assert (last_days()[-1].rows, last_days()[-1].bytes) == (0, 0)

    def test_a_day_without_a_publication_is_a_gap_in_the_chart_of_the_lag(self) -> None:
        export = an_export(a_connection())
        now = timezone.now()
        ClientConnection.objects.update(created_at=now - timedelta(days=9))
        for days in (0, 2):
            delivery = a_delivery(export, at=now - timedelta(days=days, minutes=30), key=f"{days} days ago")
            Delivery.objects.filter(pk=delivery.pk).update(published_at=now - timedelta(days=days))
        chart = lag_chart(last_days())
        assert chart.title == "Median lag, from delivered to current (minutes)"
        assert series(chart)[-4:] == [None, 30.0, None, 30.0]

    def test_a_worker_that_works_leaves_nothing_to_attend_to(self) -> None:
        a_connection()
        assert "No worker takes tasks" in page(a_member("viewer"))
        a_worker()
        assert "every enabled connection is in order" in page(a_member("viewer"))


class TestThreeHundredConnections:
    def test_they_come_in_pages_the_worst_first(self) -> None:
        many_connections(120)
        a_discovery(ClientConnection.objects.get(name="many 119"), "assume_role_denied", "No.")
        first = page(a_member("viewer"), "/admin/dashboard/live")
        assert first.index("many 119") < first.index("many 000")
        assert "Page 1 of 3, 120 connections" in first
        assert "many 049" not in first
        assert "many 049" in page(a_member("viewer"), "/admin/dashboard/live", page=2)

    def test_each_state_is_counted_and_found_though_a_worse_one_is_true_too(self) -> None:
        export = an_export(a_connection("in two troubles"))
        a_file(export, "FAILED")
        a_delivery(export, "INCOMPLETE")
        live = "/admin/dashboard/live"
        assert 'id="state-incomplete"' in page(a_member("viewer"), live)
        assert "in two troubles" in page(a_member("viewer"), live, state="incomplete")
        assert "No connection is like that." in page(a_member("viewer"), live, state="late")

    def test_they_are_found_by_words_and_by_state(self) -> None:
        many_connections(3)
        a_connection("quiet one")
        live = "/admin/dashboard/live"
        assert "quiet one" not in page(a_member("viewer"), live, state="failed")
        assert "many 001" not in page(a_member("viewer"), live, q="QUIET one")
        assert "No connection is like that." in page(a_member("viewer"), live, q="no such")

    @pytest.mark.parametrize("address", ["/admin/", "/admin/dashboard/live", "/admin/coverage/"])
    def test_the_queries_are_as_many_for_three_as_for_three_hundred(self, address: str) -> None:
        many_connections(3)
        browser = a_member("viewer")
        page(browser, address)
        with CaptureQueriesContext(connection) as few:
            page(browser, address)
        many_connections(297)
        with CaptureQueriesContext(connection) as many:
            page(browser, address)
        assert len(few) == len(many) <= 30
