"""What was delivered and never shown has a reason, also where only a decision is missing."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from ingestion.decisions import decide
from ingestion.models import ClientConnection, Export
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec
from tests.builders import ClientUnderTest
from tests.ingestion.deliveries.test_by_manifest import EVERY_LAYOUT, MARCH, NOON, OVERWRITE, part, shown

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

AWAITS = "Its export awaits a decision: nothing of it is loaded until that is “Load”."


def never_current() -> list[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT status, reason FROM billing_deliveries_never_current ORDER BY delivery")
        return cursor.fetchall()


@pytest.fixture
def undecided(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """A client whose new exports wait for a decision."""
    connections = ClientConnection.objects.filter(pk=client_under_test.connection.pk)
    connections.update(load_new_exports=False)
    return client_under_test


@EVERY_LAYOUT
def test_a_delivery_of_an_export_that_awaits_a_decision_says_so_until_it_is_decided(
    undecided: ClientUnderTest, export: ExportSpec
) -> None:
    BillingService(undecided.account).deliver(export, MARCH, [part("1")], at=NOON)
    undecided.discover()
    assert never_current() == [("PENDING", AWAITS)]
    found = Export.objects.get()
    decide(found, Export.Decision.IGNORE, "somebody")
    assert never_current() == [("PENDING", "Staff decided not to load its export.")]
    decide(found, Export.Decision.LOAD, "somebody")
    assert never_current() == [("PENDING", "")]
    decide(found, Export.Decision.AWAITING, "somebody")
    undecided.ingest()
    assert never_current() == [("PENDING", AWAITS)]
    decide(found, Export.Decision.LOAD, "somebody")
    undecided.ingest()
    assert (never_current(), shown(undecided)) == ([], ["1"])


def test_a_file_of_its_own_that_awaits_a_decision_says_so(undecided: ClientUnderTest) -> None:
    undecided.account.put_object("exports/a.csv.gz", part("1"))
    undecided.discover()
    assert never_current() == [("PENDING", AWAITS)]


def test_what_is_wrong_with_a_delivery_is_told_before_that_it_awaits_a_decision(
    undecided: ClientUnderTest,
) -> None:
    delivered = BillingService(undecided.account).deliver(OVERWRITE, MARCH, [part("1")], at=NOON)
    undecided.account.delete_object(delivered.data_keys[0])
    undecided.discover()
    ((status, reason),) = never_current()
    assert (status, reason.partition(":")[0]) == ("INCOMPLETE", "1 of 1 listed files are missing")


def test_a_decision_on_the_exports_page_is_told_at_once(undecided: ClientUnderTest) -> None:
    BillingService(undecided.account).deliver(OVERWRITE, MARCH, [part("1")], at=NOON)
    undecided.discover()
    page = reverse("admin:ingestion_export_change", args=[Export.objects.get().pk])
    chief = Browser()
    chief.force_login(User.objects.create_superuser("chief"))
    assert chief.post(page, {"decision": "IGNORE", "_save": "Save"}, secure=True).status_code == 302
    assert never_current() == [("PENDING", "Staff decided not to load its export.")]
