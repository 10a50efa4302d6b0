"""What a group is shown no button for is refused when it is posted all the same, and nothing is done."""

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from ingestion.models import ClientConnection, Export, SourceFile, StaffAction, WebhookEndpoint
from tests.ingestion.registered import a_connection, a_file, an_export, failed, ingested
from tests.staff import browser_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]


@pytest.fixture
def export(raw_database: None) -> Export:
    return an_export(a_connection())


def post(browser: Browser, name: str, /, *arguments: object, **sent: object) -> HttpResponse:
    return browser.post(reverse(f"admin:ingestion_{name}", args=arguments), sent, secure=True)


@pytest.mark.parametrize("action", ["retry_now", "reprocess_now", "skip_now", "release_now"])
def test_an_onboarder_does_nothing_to_files(export: Export, action: str) -> None:
    files = [
        failed(export),
        ingested(export),
        a_file(export),
        a_file(export, status="SKIPPED", skip_reason="BY_STAFF"),
    ]
    before = list(SourceFile.objects.order_by("pk").values())
    sent = {
        "action": action,
        "_selected_action": [file.pk for file in files],
        "reason": "because",
        "index": 0,
    }
    assert post(browser_of("onboarder"), "sourcefile_changelist", **sent).status_code == 403
    assert list(SourceFile.objects.order_by("pk").values()) == before
    assert not StaffAction.objects.exists()


def test_an_operator_decides_no_export(export: Export) -> None:
    operator = browser_of("operator")
    sent = {"action": "ignore", "_selected_action": export.pk, "index": 0}
    assert post(operator, "export_changelist", **sent).status_code == 403
    assert post(operator, "export_change", export.pk, decision="IGNORE").status_code == 403
    sent = {f"decision-{export.pk}": "IGNORE"}
    assert post(operator, "clientconnection_act", export.connection_id, "decide", **sent).status_code == 403
    assert Export.objects.get().decision == "LOAD"
    assert not StaffAction.objects.exists()


def test_an_operator_enters_no_role_and_saves_no_settings_and_no_webhook(export: Export) -> None:
    operator, one = browser_of("operator"), export.connection
    ClientConnection.objects.update(enabled=False, role_arn="")
    role = "arn:aws:iam::200000000001:role/forged"
    before = ClientConnection.objects.values().get()
    assert post(operator, "clientconnection_act", one.pk, "role", role_arn=role).status_code == 403
    assert post(operator, "clientconnection_change", one.pk, role_arn=role, name="x").status_code == 403
    assert ClientConnection.objects.values().get() == before
    assert post(operator, "webhookendpoint_add", name="x", url="https://a.example/").status_code == 403
    assert not WebhookEndpoint.objects.exists()
    assert not StaffAction.objects.exists()
