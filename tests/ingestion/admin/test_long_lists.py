"""The registry's list where it is longer than anybody pages: stretches, estimates, periods, wishes."""

from datetime import date

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from ingestion.admin.asking import TOO_MANY
from ingestion.admin.paging import BoundedPaginator
from ingestion.models import Export, SourceFile, StaffAction
from tests.ingestion.registered import a_connection, a_file, an_export

pytestmark = pytest.mark.django_db
LIST = reverse("admin:ingestion_sourcefile_changelist")
MOST = BoundedPaginator.MOST
FILES = MOST + 2_000
MANY = """
INSERT INTO ingestion_sourcefile
    (connection_id, export_id, key, etag, size, last_modified, storage_class, first_seen_at, status,
     skip_reason, object_sha256, rows_sha256, error_code, error_message, next_action, failures, requested_by)
SELECT %s, %s, 'exports/' || n, '"e"', n %% 5000, now(), 'STANDARD', now(), 'FAILED',
       '', '', '', 'ragged_row', '', '', 1, ''
FROM generate_series(1, %s) n;
ANALYZE ingestion_sourcefile;
"""


@pytest.fixture
def export() -> Export:
    return an_export(a_connection())


@pytest.fixture
def staff(client: Browser) -> Browser:
    client.force_login(User.objects.create_superuser("chief"))
    return client


def many(export: Export) -> list[int]:
    """More files than a stretch holds; their keys, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(MANY, [export.connection_id, export.pk, FILES])
    return list(SourceFile.objects.order_by("-id").values_list("pk", flat=True))


def looked_at(staff: Browser, address: str) -> HttpResponse:
    answer: HttpResponse = staff.get(address, secure=True)
    assert answer.status_code == 200
    return answer


def shown(answer: HttpResponse) -> list[int]:
    return [file.pk for file in answer.context["cl"].result_list]  # type: ignore[attr-defined]  # a test answer


def test_a_list_goes_on_where_its_pages_end(staff: Browser, export: Export) -> None:
    newest_first = many(export)
    last_page = looked_at(staff, f"{LIST}?p={MOST // 50}")
    assert shown(last_page) == newest_first[MOST - 50 : MOST]
    older = looked_at(staff, LIST + last_page.context["cl"].next_stretch)  # type: ignore[attr-defined]
    assert shown(older) == newest_first[MOST : MOST + 50]
    assert b"Older than these" not in older.content  # 2,000 are left, and they have their own pages
    rest = looked_at(staff, LIST + older.context["cl"].get_query_string({"p": 40}))  # type: ignore[attr-defined]
    assert shown(rest) == newest_first[-50:]
    assert shown(looked_at(staff, LIST + rest.context["cl"].first_stretch)) == newest_first[:50]  # type: ignore[attr-defined]


def test_a_long_list_tells_about_how_long_it_is(staff: Browser, export: Export) -> None:
    many(export)
    told = " ".join(looked_at(staff, LIST).content.decode().split())
    assert "about 12,000 source files" in told
    assert "about 12,000 total" in told
    older = f"{LIST}?id__lt={SourceFile.objects.order_by('pk')[100].pk}"
    assert "> 100 source files" in " ".join(looked_at(staff, older).content.decode().split())


def test_a_sorted_list_says_that_it_ends(staff: Browser, export: Export) -> None:
    many(export)
    second = looked_at(staff, f"{LIST}?o=-5&p=2")
    largest = SourceFile.objects.order_by("-size", "-id").values_list("pk", flat=True)
    assert shown(second) == list(largest[50:100])
    assert b"narrow the list to see others" in second.content
    assert b"Older than these" not in second.content


def test_a_wish_for_more_files_than_a_stretch_is_refused(staff: Browser, export: Export) -> None:
    first = many(export)[0]
    wish = {"action": "skip_now", "select_across": "1", "_selected_action": first, "reason": "all of them"}
    answer = staff.post(LIST, wish, secure=True, follow=True)
    assert TOO_MANY in [str(message) for message in answer.context["messages"]]
    assert not StaffAction.objects.exists()
    assert not SourceFile.objects.filter(status="SKIPPED").exists()


def test_the_periods_to_choose_from_are_those_there_are(staff: Browser, export: Export) -> None:
    assert "2026" not in str(filter_choices(staff))
    for month in (2, 5, 2, 4):
        a_file(export, billing_period_start=date(2026, month, 1), billing_period_end=date(2026, month + 1, 1))
    a_file(export, billing_period_start=None, billing_period_end=None)
    assert filter_choices(staff) == ["2026-05", "2026-04", "2026-02", "No period"]
    may = looked_at(staff, f"{LIST}?period=2026-05-01")
    assert shown(may) == [SourceFile.objects.get(billing_period_start=date(2026, 5, 1)).pk]


def filter_choices(staff: Browser) -> list[str]:
    """What the filter by billing period offers."""
    specs = looked_at(staff, LIST).context["cl"].filter_specs  # type: ignore[attr-defined]
    return [name for spec in specs if spec.title == "billing period" for _, name in spec.lookup_choices]
