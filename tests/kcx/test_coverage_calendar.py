"""The coverage calendar: what it says of each billing period of an export."""

from datetime import date
from html import unescape

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from ingestion.models import ClientConnection, Delivery, Export
from kcx.dashboard.calendar import Calendar, Coverage, calendar
from tests.kcx.situations import (
    a_connection,
    a_delivery,
    a_file,
    a_member,
    an_export,
    months_ago,
    this_month,
)

pytestmark = pytest.mark.django_db


def shown(exports: QuerySet[Export] | None = None, *, everything: bool = False) -> Calendar:
    return calendar(exports or Export.objects.all(), this_month(), everything=everything)


def coverage_of(export: Export, months_back: int = 0) -> tuple[Coverage, str] | None:
    found = shown(Export.objects.filter(pk=export.pk))
    cell = found.rows[0].cells[found.periods.index(months_ago(months_back))]
    return (cell.coverage, cell.detail) if cell else None


@pytest.fixture
def export() -> Export:
    return an_export(a_connection())


def test_a_period_with_a_current_delivery_is_complete(export: Export) -> None:
    a_file(export)
    a_delivery(export)
    assert coverage_of(export) == (Coverage.COMPLETE, "1 file")


def test_a_period_that_was_published_again_is_restated_so_many_times(export: Export) -> None:
    a_file(export)
    for status in ("SUPERSEDED", "SUPERSEDED", "CURRENT"):
        a_delivery(export, status)
    assert coverage_of(export) == (Coverage.RESTATED, "2 times")


def test_a_period_that_was_published_again_once_says_so(export: Export) -> None:
    for status in ("SUPERSEDED", "CURRENT"):
        a_delivery(export, status, files=[a_file(export)])
    assert coverage_of(export) == (Coverage.RESTATED, "once")


def test_of_a_purged_connection_nothing_is_told_as_held_or_missing(export: Export) -> None:
    for months in (3, 2):
        of_then = a_file(export, "SKIPPED", skip_reason="PURGED", billing_period_start=months_ago(months))
        a_delivery(export, "SUPERSEDED", period=months_ago(months), files=[of_then])
    a_delivery(an_export(export.connection, name="other"), "SUPERSEDED")  # so that this month is shown
    ClientConnection.objects.update(enabled=False, purged_at=timezone.now())
    assert coverage_of(export, 3) == coverage_of(export, 2) == (Coverage.NOT_LOADED, "1 file")
    assert not {cell.coverage for row in shown().rows for cell in row.cells if cell} - {Coverage.NOT_LOADED}


def test_only_the_files_of_the_current_delivery_are_counted(export: Export) -> None:
    never_shown = a_delivery(export, "SUPERSEDED", files=[a_file(export) for _ in range(3)])
    Delivery.objects.filter(pk=never_shown.pk).update(published_at=None)
    a_file(export, "SKIPPED", skip_reason="UNLISTED")
    kept = a_file(export)
    never_shown.files.add(kept, through_defaults={"last_modified": kept.last_modified})
    a_delivery(export, files=[kept, a_file(export)])
    assert coverage_of(export) == (Coverage.COMPLETE, "2 files")


def test_files_that_wait_are_told_of_those_of_the_open_delivery(export: Export) -> None:
    older = [a_file(export, "SKIPPED", skip_reason="OLDER") for _ in range(5)]
    a_delivery(export, "SUPERSEDED", files=older)
    Delivery.objects.update(published_at=None)
    a_delivery(export, "PENDING", files=[a_file(export), a_file(export, "NEW"), a_file(export, "NEW")])
    assert coverage_of(export) == (Coverage.PARTIAL, "2 of 3 files wait")


def test_a_failed_file_of_an_older_delivery_does_not_make_the_open_one_failed(export: Export) -> None:
    a_delivery(export, "SUPERSEDED", files=[a_file(export, "FAILED")])
    a_delivery(export, "INCOMPLETE", files=[a_file(export)])
    assert coverage_of(export) == (Coverage.PARTIAL, "not whole")


def test_files_that_wait_make_it_partial(export: Export) -> None:
    a_file(export)
    a_file(export, "NEW")
    a_delivery(export, "PENDING")
    assert coverage_of(export) == (Coverage.PARTIAL, "1 of 2 files waits")


def test_a_delivery_that_lacks_a_listed_file_is_partial_though_all_others_are_ingested(
    export: Export,
) -> None:
    a_file(export)
    a_delivery(export, "INCOMPLETE")
    assert coverage_of(export) == (Coverage.PARTIAL, "not whole")


def test_a_newer_delivery_that_is_not_whole_makes_a_current_one_partial(export: Export) -> None:
    a_file(export)
    a_delivery(export)
    a_delivery(export, "INCOMPLETE")
    assert coverage_of(export) == (Coverage.PARTIAL, "newer one open")


def test_a_failed_file_of_an_open_delivery_makes_it_failed(export: Export) -> None:
    a_file(export)
    a_file(export, "FAILED")
    a_delivery(export, "INCOMPLETE")
    assert coverage_of(export) == (Coverage.FAILED, "1 of 2 files")


def test_a_failed_file_of_a_delivery_that_was_replaced_does_not(export: Export) -> None:
    a_file(export, "FAILED")
    a_file(export)
    a_delivery(export)
    assert coverage_of(export) == (Coverage.COMPLETE, "2 files")


def test_where_files_come_by_key_one_that_failed_makes_its_period_failed(export: Export) -> None:
    a_delivery(export, key=a_file(export).key)
    a_file(export, "FAILED")
    assert coverage_of(export) == (Coverage.FAILED, "1 of 2 files")


def test_where_files_come_by_key_several_current_ones_are_no_restatement(export: Export) -> None:
    for _ in range(2):
        a_delivery(export, key=a_file(export).key)
    assert coverage_of(export) == (Coverage.COMPLETE, "2 files")


def test_a_month_between_two_is_missing_and_the_running_one_is_not_yet(export: Export) -> None:
    for back in (3, 1):
        a_file(export, billing_period_start=months_ago(back))
        a_delivery(export, period=months_ago(back))
    assert coverage_of(export, 2) == (Coverage.MISSING, "no delivery")
    assert coverage_of(export, 0) == (Coverage.NOT_YET, "no delivery")


def test_before_its_first_month_an_export_lacks_nothing(export: Export) -> None:
    a_file(export, billing_period_start=months_ago(1))
    older = an_export(export.connection, "older")
    a_file(older, billing_period_start=months_ago(4))
    found = shown()
    cells = {row.export: row.cells for row in found.rows}
    assert cells["exports/cur"][found.periods.index(months_ago(3))] is None


def test_what_nobody_decided_to_load_is_not_loaded_rather_than_missing() -> None:
    export = an_export(a_connection(), decision="AWAITING")
    a_file(export, "NEW", billing_period_start=months_ago(2))
    assert coverage_of(export, 2) == (Coverage.NOT_LOADED, "1 file")
    assert coverage_of(export, 1) is None


@pytest.mark.parametrize("decision", ["IGNORE", "AWAITING"])
def test_what_is_current_is_told_though_nothing_more_is_loaded(decision: str) -> None:
    export = an_export(a_connection(), decision=decision)
    for back, statuses in ((3, ["CURRENT"]), (2, ["SUPERSEDED", "CURRENT"]), (1, ["CURRENT", "PENDING"])):
        for status in statuses:
            held = a_file(
                export, "NEW" if status == "PENDING" else "INGESTED", billing_period_start=months_ago(back)
            )
            a_delivery(export, status, period=months_ago(back), files=[held])
    a_file(export, "NEW")
    assert coverage_of(export, 3) == (Coverage.COMPLETE, "1 file")
    assert coverage_of(export, 2) == (Coverage.RESTATED, "once")
    assert coverage_of(export, 1) == (Coverage.PARTIAL, "newer one not loaded")
    assert coverage_of(export, 0) == (Coverage.NOT_LOADED, "1 file")


def test_a_file_that_failed_and_is_not_wanted_any_more_makes_nothing_failed() -> None:
    export = an_export(a_connection(), decision="IGNORE")
    a_delivery(export, files=[a_file(export)])
    a_delivery(export, "INCOMPLETE", files=[a_file(export, "FAILED")])
    assert coverage_of(export) == (Coverage.PARTIAL, "newer one not loaded")


def test_files_of_no_period_have_a_column_of_their_own(export: Export) -> None:
    a_file(export, billing_period_start=None)
    assert shown().periods == [None]


def test_older_periods_are_shown_when_asked_for(export: Export) -> None:
    a_file(export, billing_period_start=months_ago(29))
    assert (len(shown().periods), shown().hidden) == (18, 12)
    assert (len(shown(everything=True).periods), shown(everything=True).hidden) == (30, 0)


def test_a_key_of_a_year_far_away_hides_no_month_and_adds_only_its_own(export: Export) -> None:
    a_file(export)
    a_file(export, billing_period_start=months_ago(1))
    for year in (1, 2, 9000, 9500, 9998):
        a_file(export, billing_period_start=date(year, 12, 1))
    assert shown().periods == [
        date(9500, 12, 1),
        date(9000, 12, 1),
        months_ago(0),
        months_ago(1),
        date(2, 12, 1),
        date(1, 12, 1),
    ]


class TestThePage:
    ADDRESS = "/admin/coverage/"

    def page(self, **query: object) -> str:
        answer = a_member("viewer").get(self.ADDRESS, query, secure=True)
        assert answer.status_code == 200
        return unescape(answer.content.decode())

    def test_it_is_of_one_connection_or_of_all_of_a_client(self) -> None:
        one, other = a_connection(client="both"), a_connection(client="both")
        for connection, name in ((one, "first-export"), (other, "second-export")):
            a_file(an_export(connection, name))
        assert "second-export" not in self.page(connection=one.pk)
        both = self.page(client=one.client_id)
        assert "first-export" in both
        assert "second-export" in both

    def test_each_cell_opens_the_files_of_its_period(self, export: Export) -> None:
        file = a_file(export, key="exports/of-this-month.csv.gz")
        a_file(export, key="exports/of-another.csv.gz", billing_period_start=months_ago(1))
        a_delivery(export)
        link = shown().rows[0].cells[0].link
        assert link in self.page()
        listed = a_member("viewer").get(link, secure=True).content.decode()
        assert file.key in listed
        assert "of-another" not in listed

    def test_the_list_that_a_cell_opens_says_that_it_is_narrowed_to_it(self, export: Export) -> None:
        a_connection()
        period_of_none = a_file(export, billing_period_start=None)
        of_this_month = a_file(export)
        a_file(an_export(export.connection, "another"))
        viewer = a_member("viewer")
        for period, file in ((this_month(), of_this_month), (None, period_of_none)):
            found = shown(Export.objects.filter(pk=export.pk))
            answer = viewer.get(found.rows[0].cells[found.periods.index(period)].link, secure=True)
            listed = answer.context["cl"]
            assert [one.pk for one in listed.result_list] == [file.pk]
            assert listed.has_active_filters
            chosen = {spec.title for spec in listed.filter_specs if spec.used_parameters}
            assert {"export", "billing period"} <= chosen
            assert "Clear all filters" in answer.content.decode()

    def test_a_cell_of_no_file_opens_its_export(self, export: Export) -> None:
        for back in (3, 1):
            a_file(export, billing_period_start=months_ago(back))
        missing = shown().rows[0].cells[shown().periods.index(months_ago(2))]
        answer = a_member("viewer").get(missing.link, secure=True)
        assert answer.status_code == 200
        assert answer.context["original"] == export

    def test_a_hostile_export_name_is_text(self) -> None:
        a_file(an_export(a_connection(), "<script>alert(1)</script>"))
        answer = a_member("viewer").get(self.ADDRESS, secure=True).content.decode()
        assert "<script>alert" not in answer
        assert "&lt;script&gt;alert(1)" in answer

    @pytest.mark.parametrize("asked", ["x", "9" * 40, "-1", "²", "12345"])
    def test_an_address_written_by_hand_shows_an_empty_calendar_or_the_first(self, asked: str) -> None:
        a_connection()
        assert "No export was found here yet." in self.page(connection=asked)

    def test_with_no_connection_at_all_it_says_that_nothing_was_found(self) -> None:
        assert "No export was found here yet." in self.page()
