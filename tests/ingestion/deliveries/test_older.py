"""An older delivery that was left out is loaded when it is asked for, or all history is; no other is."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from ingestion.decisions import decide
from ingestion.deliveries import older
from ingestion.models import ClientConnection, Delivery, DeliveryFile, Export, SourceFile, StaffAction
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from tests.builders import ClientUnderTest
from tests.faulty_s3 import FaultyAws
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
from tests.refusing_s3 import refusing

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


def with_history(client: ClientUnderTest) -> None:
    ClientConnection.objects.filter(pk=client.connection.pk).update(load_history=True)


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
    client_under_test.discover()
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


def test_history_that_is_asked_for_later_loads_what_was_left_out_and_reads_each_manifest_once(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    several(client_under_test)
    with_history(client_under_test)
    client_under_test.ingest()
    assert set(SourceFile.objects.values_list("status", flat=True)) == {"INGESTED"}
    assert deliveries() == [("SUPERSEDED", WANTED), ("SUPERSEDED", WANTED), ("CURRENT", "")]
    assert (all_rows(), shown(client_under_test)) == (3, ["2"])
    asked = len(wire.asked("GetObject")), len(wire.asked("ListObjectsV2"))
    client_under_test.discover()
    assert (len(wire.asked("GetObject")), len(wire.asked("ListObjectsV2"))) == (asked[0], asked[1] + 1)


def test_history_takes_up_what_was_overtaken_before_it_was_complete(
    client_under_test: ClientUnderTest,
) -> None:
    service = BillingService(client_under_test.account)
    for hour in range(2):
        service.deliver(CREATE_NEW, MARCH, [part(str(hour))], at=NOON + timedelta(hours=hour))
        client_under_test.discover()
    client_under_test.load_all()
    assert all_rows() == 1
    with_history(client_under_test)
    client_under_test.ingest()
    assert (all_rows(), shown(client_under_test)) == (2, ["1"])


def test_a_discovery_takes_up_so_many_older_deliveries_the_newest_first(
    client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(client_under_test, 4)
    with_history(client_under_test)
    monkeypatch.setattr(older, "MOST_AT_ONCE", 2)
    client_under_test.discover()
    left_out, taken_up = (SourceFile.objects.filter(status=status) for status in ("SKIPPED", "NEW"))
    assert [left_out.count(), taken_up.count()] == [1, 2]
    assert left_out.get().last_modified < min(taken_up.values_list("last_modified", flat=True))
    client_under_test.ingest()
    assert all_rows() == 4


def test_history_says_once_what_of_it_cannot_be_loaded(client_under_test: ClientUnderTest) -> None:
    several(client_under_test)
    of_first = SourceFile.objects.earliest("last_modified").key
    manifests = [key for key in client_under_test.account.list_keys() if key.endswith("Manifest.json")]
    client_under_test.account.delete_object(of_first)
    second = SourceFile.objects.filter(status="SKIPPED").latest("last_modified").key
    of_second = next(key for key in manifests if key.startswith(second.rpartition("/")[0]))
    client_under_test.account.set_storage_class(of_second, "GLACIER")
    with_history(client_under_test)
    client_under_test.ingest()
    (_, missing), (_, archived), current = deliveries()
    assert missing == f"{LEFT_OUT}, and it cannot be loaded: 1 of 1 listed files are missing: {of_first}"
    assert archived.startswith(f"{LEFT_OUT}, and it cannot be loaded: {of_second} is in the storage class")
    assert current == ("CURRENT", "")
    assert all_rows() == 1


def test_history_that_is_refused_is_taken_up_by_the_next_discovery(
    client_under_test: ClientUnderTest,
) -> None:
    several(client_under_test, 2)
    of_first = SourceFile.objects.earliest("last_modified").key.rpartition("/")[0]
    manifest = f"{of_first}/r-Manifest.json"
    with_history(client_under_test)
    with refusing({manifest: ("AccessDenied", "Access Denied")}):
        assert client_under_test.discover().outcome == "SUCCEEDED"
    assert deliveries()[0] == ("SUPERSEDED", f"{LEFT_OUT}: not loaded.")
    client_under_test.ingest()
    assert all_rows() == 2


def test_history_of_an_export_that_is_not_loaded_is_left_out(client_under_test: ClientUnderTest) -> None:
    several(client_under_test)
    decide(Export.objects.get(), Export.Decision.IGNORE, "somebody")
    with_history(client_under_test)
    client_under_test.ingest()
    assert all_rows() == 1


def test_what_was_current_once_is_not_loaded_by_asking_for_it(client_under_test: ClientUnderTest) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    first = service.deliver(CREATE_NEW, MARCH, [part("1")], at=NOON)
    account.delete_object(first.manifest_keys[-1])
    with_history(client_under_test)
    client_under_test.ingest()
    service.deliver(CREATE_NEW, MARCH, [part("2")], at=NOON + timedelta(hours=8))
    client_under_test.ingest()
    published = Delivery.objects.earliest("delivered_at")
    account.put_object(first.data_keys[0], part("1", "1"), at=NOON)  # copied anew, in other parts
    assert "It was current once: its files are loaded." in refusal(published)


def test_history_that_was_copied_after_the_current_manifest_is_never_current(
    client_under_test: ClientUnderTest,
) -> None:
    service, account = BillingService(client_under_test.account), client_under_test.account
    first = service.deliver(CREATE_NEW, MARCH, [part("1")], at=NOON)
    service.deliver(CREATE_NEW, MARCH, [part("2")], at=NOON + timedelta(hours=8))
    account.set_last_modified(first.manifest_keys[0], NOON + timedelta(days=80))
    with_history(client_under_test)
    client_under_test.ingest()
    assert shown(client_under_test) == ["2"]
