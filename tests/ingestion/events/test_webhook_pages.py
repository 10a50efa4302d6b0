"""Staff make webhooks, test them, change their secrets and send again; a secret is shown once."""

import base64
import html
import re
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from ingestion.events import endpoints
from ingestion.events.outbox import record_test
from ingestion.events.sending import send
from ingestion.events.signing import fingerprint_of
from ingestion.models import Client, Event, StaffAction, WebhookEndpoint, WebhookMessage
from kcx.dashboard.attention import attention
from kcx.dashboard.webhooks import given_up
from tests.ingestion.events.conftest import Hook, an_endpoint
from tests.kcx.situations import a_member

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("error")]
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")
PAGES = ["event", "webhookendpoint", "webhookmessage", "webhookdelivery"]


@pytest.fixture(autouse=True)
def plain_http(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = False


def page(name: str, *arguments: object) -> str:
    return reverse(f"admin:ingestion_{name}", args=arguments)


def text(answer: HttpResponse) -> str:
    assert answer.status_code == 200, answer
    return html.unescape(answer.content.decode())


def add(browser: Browser, url: str, **more: object) -> HttpResponse:
    return browser.post(page("webhookendpoint_add"), {"name": "to us", "url": url, "enabled": "on", **more})


def test_an_onboarder_makes_one_and_sees_its_secret_once(settings: Any) -> None:
    settings.KCX_WEBHOOK_HOSTS = ["hooks.test"]
    onboarder = a_member("onboarder")
    client = Client.objects.create(name="acme")
    made = add(onboarder, "https://hooks.test/in", client=client.pk, kinds=["file.failed", "access.lost"])
    (secret,) = SECRET.findall(text(made))
    assert "no-store" in made.headers["Cache-Control"]
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.fingerprint == fingerprint_of(secret)
    assert (endpoint.client, endpoint.kinds) == (client, ["file.failed", "access.lost"])
    added = StaffAction.objects.get(action="add webhook")
    assert added.detail["changes"]["url"] == {"before": "", "after": "https://hooks.test/in"}
    again = add(onboarder, "https://hooks.test/in")
    seen = [text(again), *every_page(onboarder, endpoint)]
    assert [SECRET.findall(one) for one in seen] == [[]] * len(seen)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    assert not [one for one in seen if key.hex() in one or secret[6:30] in one]
    assert WebhookEndpoint.objects.count() == 1, "a page that is sent twice"


def every_page(browser: Browser, endpoint: WebhookEndpoint) -> list[str]:
    lists = [page(f"{name}_changelist") for name in [*PAGES, "staffaction"]]
    return [text(browser.get(one)) for one in [*lists, page("webhookendpoint_change", endpoint.pk)]]


@pytest.mark.parametrize("url", ["https://evil.test/", "http://hooks.test/", "https://169.254.169.254/"])
def test_a_host_that_no_administrator_allowed_is_refused_by_the_form(settings: Any, url: str) -> None:
    settings.KCX_WEBHOOK_HOSTS = ["hooks.test"]
    assert "is not in KCX_WEBHOOK_HOSTS" in text(add(a_member("onboarder"), url))
    assert not WebhookEndpoint.objects.exists()


def test_a_new_secret_is_shown_once_and_a_page_sent_twice_makes_one(hook: Hook) -> None:
    onboarder = a_member("onboarder")
    address = page("webhookendpoint_act", hook.endpoint.pk, "rotate")
    sent = {"fingerprint": hook.endpoint.fingerprint}
    (secret,) = SECRET.findall(text(onboarder.post(address, sent)))
    assert secret != hook.secret
    answer = onboarder.post(address, sent, follow=True)
    assert "A newer secret was made already" in text(answer)
    assert not SECRET.findall(text(answer))
    hook.endpoint.refresh_from_db()
    assert hook.endpoint.fingerprint == fingerprint_of(secret)


def test_changing_one_keeps_its_secret(hook: Hook) -> None:
    values = {"name": "renamed", "url": hook.endpoint.url, "kinds": ["file.failed"]}
    answer = a_member("onboarder").post(page("webhookendpoint_change", hook.endpoint.pk), values)
    assert answer.status_code == 302
    fingerprint = hook.endpoint.fingerprint
    hook.endpoint.refresh_from_db()
    assert (hook.endpoint.name, hook.endpoint.enabled) == ("renamed", False)
    assert (hook.endpoint.kinds, hook.endpoint.fingerprint) == (["file.failed"], fingerprint)
    changes = StaffAction.objects.get(action="change webhook").detail["changes"]
    assert changes.keys() == {"name", "kinds", "enabled"}


def test_it_stays_its_clients_so_no_event_that_waits_goes_to_another(hook: Hook) -> None:
    own, other = Client.objects.create(name="acme"), Client.objects.create(name="other")
    endpoint = an_endpoint("http://127.0.0.1/own", client=own)
    record_test(endpoint)
    values = {"name": "moved", "url": hook.endpoint.url, "client": other.pk, "enabled": "on"}
    answer = a_member("onboarder").post(page("webhookendpoint_change", endpoint.pk), values)
    assert answer.status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.name, endpoint.client) == ("moved", own)
    for client in (other, None):
        endpoint.client = client
        with pytest.raises(ValidationError, match="stays its client's"):
            endpoint.full_clean()
        endpoints.save(endpoint, "Olga", {})
        assert WebhookEndpoint.objects.get(pk=endpoint.pk).client == own


def test_a_test_event_is_sent_and_its_try_is_shown(hook: Hook) -> None:
    onboarder = a_member("onboarder")
    hook.receiver.will(418, b"<b>tea</b>")
    onboarder.post(page("webhookendpoint_act", hook.endpoint.pk, "test"))
    message = WebhookMessage.objects.get()
    send(message.pk)
    answer = onboarder.get(page("webhookendpoint_change", hook.endpoint.pk))
    assert "&lt;b&gt;tea&lt;/b&gt;" in answer.content.decode()
    assert "The receiver answered 418." in text(answer)


def test_what_was_given_up_is_on_the_dashboard_until_it_is_redelivered(hook: Hook) -> None:
    message = record_test(hook.endpoint)
    event = Event.objects.create(kind="file.failed", dedupe_key="file.failed:1", payload={})
    WebhookMessage.objects.filter(pk=message.pk).update(event=event)
    hook.receiver.will(410)
    send(message.pk)
    WebhookEndpoint.objects.update(rests_until=None)
    hook.receiver.will(410)
    send(record_test(hook.endpoint).pk)
    (entry,) = attention([], worker_works=True, webhooks=given_up())
    assert (entry.kind, entry.about) == ("Webhook not delivered", hook.endpoint.name)
    assert entry.cause == "1 event was given up in the last week. The receiver answered 410."
    onboarder = a_member("onboarder")
    assert hook.endpoint.name in text(onboarder.get(entry.link))
    chosen = {"action": "redeliver_now", "_selected_action": message.pk}
    onboarder.post(page("webhookmessage_changelist"), chosen)
    message.refresh_from_db()
    assert message.status == "WAITING"
    assert given_up() == []
    WebhookEndpoint.objects.update(enabled=True, rests_until=None)
    send(message.pk)
    message.refresh_from_db()
    assert message.status == "DELIVERED"
    assert given_up() == []


@pytest.mark.parametrize("group", ["viewer", "operator"])
def test_others_read_and_change_nothing(hook: Hook, settings: Any, group: str) -> None:
    message = record_test(hook.endpoint)
    send(message.pk)
    browser = a_member(group)
    for one in every_page(browser, hook.endpoint):
        assert "Send a test event" not in one
    assert add(browser, hook.endpoint.url).status_code == 403
    for what in ("test", "rotate"):
        address = page("webhookendpoint_act", hook.endpoint.pk, what)
        assert browser.post(address, {"fingerprint": hook.endpoint.fingerprint}).status_code == 403
    browser.post(
        page("webhookmessage_changelist"), {"action": "redeliver_now", "_selected_action": message.pk}
    )
    message.refresh_from_db()
    assert message.status == "DELIVERED"
    assert browser.post(page("webhookendpoint_change", hook.endpoint.pk), {"name": "x"}).status_code == 403


@pytest.mark.parametrize("what", ["test", "rotate"])
def test_nothing_changes_by_looking(hook: Hook, what: str) -> None:
    assert a_member("onboarder").get(page("webhookendpoint_act", hook.endpoint.pk, what)).status_code == 405


@pytest.mark.parametrize("name", ["event", "webhookmessage", "webhookdelivery"])
def test_the_log_is_read_only_even_for_a_superuser(hook: Hook, name: str, admin_client: Browser) -> None:
    message = record_test(hook.endpoint)
    send(message.pk)
    one = {"event": message.event, "webhookmessage": message, "webhookdelivery": message.deliveries.get()}[
        name
    ]
    assert admin_client.get(page(f"{name}_change", one.pk)).status_code == 200
    assert admin_client.get(page(f"{name}_add")).status_code == 403
    assert admin_client.post(page(f"{name}_change", one.pk), {}).status_code == 403
    assert admin_client.post(page(f"{name}_delete", one.pk), {"post": "yes"}).status_code == 403


def test_a_message_is_redelivered_by_the_button_on_its_page(hook: Hook) -> None:
    message = record_test(hook.endpoint)
    send(message.pk)
    address, onboarder = page("webhookmessage_redeliver", message.pk), a_member("onboarder")
    assert address in text(onboarder.get(page("webhookmessage_change", message.pk)))
    assert onboarder.get(address).status_code == 405
    operator = a_member("operator")
    assert address not in text(operator.get(page("webhookmessage_change", message.pk)))
    assert operator.post(address).status_code == 403
    answer = onboarder.post(address, follow=True)
    assert "1 of 1 sent again" in text(answer)
    send(message.pk)
    first, second = hook.receiver.requests
    assert first.body == second.body


def test_nobody_is_led_there_who_may_not_look(hook: Hook) -> None:
    answer = a_member(None).get(page("webhookendpoint_changelist"))
    assert answer.status_code == 403
