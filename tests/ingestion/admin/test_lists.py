"""Every list of the admin asks the database as often for thirty rows as for three."""

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_q.models import Schedule

from tests.ingestion.admin.everything import one_of_everything

pytestmark = pytest.mark.django_db

LISTS = sorted(
    model._meta.label_lower for model in admin.site._registry if model is not Schedule
)  # the database allows KCX's own schedules only


@pytest.fixture
def queries_of(client: Browser) -> Callable[[str], int]:
    """How many queries a list takes for a superuser."""
    client.force_login(User.objects.create_superuser("chief"))

    def count(label: str) -> int:
        page = reverse("admin:{}_{}_changelist".format(*label.split(".")))
        assert client.get(page, secure=True).status_code == 200  # what is asked once is not the page's
        with CaptureQueriesContext(connection) as captured:
            shown = client.get(page, secure=True)
        assert len(shown.context["cl"].result_list) >= 3
        return len(captured)

    return count


def test_no_list_asks_more_often_for_more_rows(queries_of: Callable[[str], int]) -> None:
    # Rows of their own: a list must not be cheap because all its rows lead to the same connection.
    for number in range(3):
        one_of_everything(number)
    few = {label: queries_of(label) for label in LISTS}
    for number in range(3, 30):
        one_of_everything(number)
    assert {label: queries_of(label) for label in LISTS} == few
    assert max(few.values()) <= 20
