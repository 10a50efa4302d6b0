"""Which of two exports of the same lines waits: asked seldom, and by one discovery at a time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from ingestion.models import ClientConnection, Delivery, Export
from ingestion.overlaps import NewPeriods, wait_where_doubled
from ingestion.plan import plan
from tests.ingestion.registered import MARCH, a_connection, a_delivery, a_file, a_scope, an_export
from tests.ingestion.test_publish import closing_connection, wait_until_sessions_wait

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("raw_database"),
]
MONTHS = [date(2025, month, 1) for month in range(1, 13)]


def of_lines(family: str = "legacy_cur", **fields: object) -> Export:
    """An export of the account's lines, under a connection of its own."""
    values = {"family": family, "payer_account": "111122223333", "key_layout": "data_export"}
    return an_export(a_connection(), **(values | fields))


def decision(export: Export) -> tuple[str, Export | None]:
    export.refresh_from_db()
    return export.decision, export.overlaps


def test_an_export_of_lines_that_no_other_has_is_asked_of_once(django_assert_num_queries: Any) -> None:
    export, periods = of_lines(), NewPeriods([])
    of_lines("focus_1_2")
    with django_assert_num_queries(1):
        for month in MONTHS:
            periods.compare(export, month)


def test_a_month_that_is_known_or_was_just_entered_is_not_asked_of(django_assert_num_queries: Any) -> None:
    export, _ = of_lines(), of_lines("cur_2_0")
    periods = NewPeriods([(export.pk, MARCH)])
    periods.note_entered(export, MONTHS[0])
    with django_assert_num_queries(0):
        for month in (MARCH, MONTHS[0]):
            periods.compare(export, month)


def test_of_two_discoveries_that_come_into_a_month_at_once_the_second_sees_the_first() -> None:
    first, second = of_lines(), of_lines("cur_2_0")

    def enter(export: Export, before_the_end: Callable[[], None]) -> None:
        with transaction.atomic():
            NewPeriods([]).compare(export, MARCH)
            a_delivery(a_scope(export))
            before_the_end()

    with ThreadPoolExecutor(1) as pool:
        begun = []

        def begin_the_other() -> None:
            begun.append(pool.submit(closing_connection, lambda: enter(first, lambda: None)))
            wait_until_sessions_wait(1)

        enter(second, begin_the_other)
        begun[0].result()
    assert decision(second) == (Export.Decision.LOAD, None)
    assert decision(first) == (Export.Decision.AWAITING, second)


def test_who_becomes_a_twin_finds_what_the_other_has_registered_and_not_entered_yet() -> None:
    found_first, new = of_lines(), of_lines("cur_2_0")
    a_file(found_first, status="SKIPPED", skip_reason="UNLISTED")
    wait_where_doubled(new, [MARCH], registered=True)
    assert decision(new) == (Export.Decision.AWAITING, found_first)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": Delivery.Status.SUPERSEDED, "superseded_at": "2026-03-06T00:00Z"},
        {"status": Delivery.Status.INCOMPLETE, "reason": "Cannot be read.", "listed_keys": None},
    ],
    ids=["superseded", "unread"],
)
def test_a_delivery_that_counts_no_more_or_cannot_be_read_holds_no_lines(fields: dict[str, Any]) -> None:
    other, export = of_lines("cur_2_0"), of_lines()
    a_delivery(a_scope(other), **fields)
    NewPeriods([]).compare(export, MARCH)
    assert decision(export) == (Export.Decision.LOAD, None)


def test_what_staff_decided_meanwhile_not_to_load_does_not_await_a_decision_again() -> None:
    other, export = of_lines("cur_2_0"), of_lines()
    a_delivery(a_scope(other))
    Export.objects.filter(pk=export.pk).update(decision=Export.Decision.IGNORE)
    NewPeriods([]).compare(export, MARCH)
    assert decision(export) == (Export.Decision.IGNORE, None)


def test_of_a_purged_connection_nothing_is_held_whatever_is_registered() -> None:
    purged, export = of_lines("cur_2_0"), of_lines()
    a_file(purged, status="SKIPPED", skip_reason="PURGED")
    ClientConnection.objects.filter(pk=purged.connection.pk).update(enabled=False, purged_at=timezone.now())
    wait_where_doubled(export, [MARCH], registered=True)
    assert decision(export) == (Export.Decision.LOAD, None)
    assert [one.note for one in plan(export.connection)] == ["No manifest yet: it waits."]


def test_who_chooses_on_the_exports_page_is_noted_to_load_both_too() -> None:
    other, export = of_lines("cur_2_0"), of_lines(decision=Export.Decision.AWAITING)
    for one in (other, export):
        a_delivery(a_scope(one))
    browser = Browser()
    browser.force_login(User.objects.create_superuser("chief"))
    page = reverse("admin:ingestion_export_change", args=[export.pk])
    assert browser.post(page, {"decision": "LOAD"}, secure=True).status_code == 302
    assert decision(export) == (Export.Decision.LOAD, other)
