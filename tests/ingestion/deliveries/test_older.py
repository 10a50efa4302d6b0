"""An older delivery that was left out is loaded when it is asked for; no other is."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from ingestion.decisions import decide
from ingestion.models import Delivery, DeliveryFile, Export, SourceFile, StaffAction
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest
from tests.ingestion.deliveries.test_by_manifest import (
    ATHENA,
    CREATE_NEW,
    MARCH,
    NOON,
    OVERWRITE,
    deliveries,
    part,
    shown,
)

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

LEFT_OUT = "Older than the current delivery when it was found"
WANTED = f"{LEFT_OUT}: its files are wanted all the same."
TWIN = ExportSpec("exports/", "twin", Family.LEGACY_CUR, Mode.CREATE_NEW, "csv.gz")


def state() -> list[object]:
    """What a command that is refused leaves as it was."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Delivery, DeliveryFile, SourceFile, Export, StaffAction)
    ]


def refusal(delivery: Delivery) -> str:
    """Why `ingest --delivery` does nothing, with exit status 1."""
    before = state()
    with pytest.raises(CommandError) as caught:
        call_command("ingest", "--delivery", str(delivery.pk))
    assert caught.value.returncode == 1
    assert state() == before
    return str(caught.value)


def all_rows() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM billing_rows_all")
        (count,) = cursor.fetchone()
    return int(count)


def several(client: ClientUnderTest, count: int = 3) -> BillingService:
    """So many deliveries of March, of one row each, of which the newest is loaded."""
    service = BillingService(client.account)
    for hour in range(count):
        service.deliver(CREATE_NEW, MARCH, [part(str(hour))], at=NOON + timedelta(hours=hour))
    client.ingest()
    return service


def test_an_older_delivery_is_loaded_when_it_is_asked_for_and_is_never_current(
    client_under_test: ClientUnderTest,
) -> None:
    several(client_under_test)
    call_command("ingest", "--delivery", str(Delivery.objects.earliest("delivered_at").pk))
    assert deliveries() == [
        ("SUPERSEDED", WANTED),
        ("SUPERSEDED", f"{LEFT_OUT}: not loaded."),
        ("CURRENT", ""),
    ]
    assert (all_rows(), shown(client_under_test)) == (2, ["2"])


def test_a_delivery_that_aws_is_overwriting_is_not_loaded_by_asking_for_it(
    client_under_test: ClientUnderTest,
) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    delivered = service.deliver(OVERWRITE, MARCH, [part("1"), part("2")], at=NOON)
    account.put_object(delivered.data_keys[0], part("1", "2"), at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    why = refusal(Delivery.objects.get())
    assert "It is incomplete, and no older one that was left out. Data newer than its manifest" in why
    assert shown(client_under_test) == []


def test_an_older_delivery_is_refused_for_what_stands_against_it_in_the_bucket_now(
    client_under_test: ClientUnderTest,
) -> None:
    several(client_under_test)
    delivery = Delivery.objects.earliest("delivered_at")
    of_first = SourceFile.objects.earliest("last_modified").key
    client_under_test.account.delete_object(of_first)
    assert f"1 of 1 listed files are missing: {of_first}" in refusal(delivery)


def test_an_older_delivery_is_refused_while_athena_says_that_aws_writes(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    service.deliver(ATHENA, MARCH, [part("1")], at=NOON)
    client_under_test.ingest()
    Delivery.objects.update(status="SUPERSEDED", superseded_at=NOON + timedelta(days=999))
    service.write_data(ATHENA, MARCH.replace(month=4), [part("2")], at=NOON + timedelta(hours=1))
    assert "Athena's status file says UPDATING" in refusal(Delivery.objects.get())


@pytest.mark.parametrize("decision", [Export.Decision.AWAITING, Export.Decision.IGNORE])
def test_no_delivery_of_an_export_that_is_not_loaded_is_loaded_by_asking_for_it(
    client_under_test: ClientUnderTest, decision: Export.Decision
) -> None:
    service = several(client_under_test)
    for hour in range(2):
        service.deliver(TWIN, MARCH, [part("9")], at=NOON + timedelta(hours=hour))
    client_under_test.ingest()
    export = Export.objects.get(name="twin")
    decide(export, decision, "somebody")
    for delivery in Delivery.objects.filter(scope__export=export):
        assert "is not loaded" in refusal(delivery)
    assert shown(client_under_test) == ["2"]


def test_a_delivery_without_a_manifest_is_not_loaded_by_asking_for_it(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object("exports/a.csv.gz", part("1"))
    client_under_test.discover()
    assert "It has no manifest" in refusal(Delivery.objects.get())
