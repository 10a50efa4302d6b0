"""Staff make service users and tokens: the secret is seen once, and all of it is on record."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser

from ingestion.models import StaffAction
from kcx.api.models import ServiceUser, Token
from tests.api.asking import Asker, a_service_user
from tests.ingestion.registered import a_connection
from tests.kcx.situations import a_member

pytestmark = pytest.mark.django_db
USERS, TOKENS = "/admin/api/serviceuser/", "/admin/api/token/"


@pytest.fixture
def chief() -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("chief"))
    return browser


def post(browser: Browser, address: str, **data: Any) -> Any:
    return browser.post(address, data, secure=True)


def secret_in(page: Any) -> str:
    found = re.search(r'id="secret"[^>]* value="([^"]+)"', page.content.decode())
    assert found, page.content.decode()
    return found[1]


def test_a_service_user_is_made_and_changed_on_record(chief: Browser) -> None:
    client = a_connection().client
    post(chief, f"{USERS}add/", name="loader of Acme", scope="NAMED", clients=[client.pk], enabled="on")
    user = ServiceUser.objects.get()
    assert list(user.clients.all()) == [client]
    post(chief, f"{USERS}{user.pk}/change/", name="loader of Acme", scope="ALL", enabled="on")
    changed, made = StaffAction.objects.all()
    assert (made.action, made.actor, made.detail["before"]) == ("make API service user", "chief", None)
    assert made.detail["after"]["clients"] == [client.name]
    assert changed.action == "change API service user"
    assert changed.detail["before"] == made.detail["after"]
    assert (changed.detail["after"]["scope"], changed.detail["after"]["clients"]) == ("ALL", [])


def test_all_clients_are_not_some_clients(chief: Browser) -> None:
    client = a_connection().client
    answer = post(chief, f"{USERS}add/", name="both", scope="ALL", clients=[client.pk], enabled="on")
    assert "It may read all clients: name none" in answer.content.decode()
    assert not ServiceUser.objects.exists()


def test_a_secret_is_seen_once_and_kept_nowhere(chief: Browser, caplog: pytest.LogCaptureFixture) -> None:
    user = a_service_user(scope="ALL")
    caplog.set_level(0)
    page = post(chief, f"{TOKENS}add/", user=user.pk, days=30)
    secret = secret_in(page)
    assert "no-store" in page["Cache-Control"]
    assert Asker(secret).ask("clients/").status_code == 200
    token = Token.objects.get()
    assert (token.made_by, round((token.expiry - token.created).total_seconds() / 86400)) == ("chief", 30)
    kept = [*StaffAction.objects.values(), *LogEntry.objects.values(), *Token.objects.values()]
    assert StaffAction.objects.get().detail["begins_with"] == token.token_key
    for address in (
        TOKENS,
        f"{TOKENS}add/",
        f"{TOKENS}{token.pk}/change/",
        USERS,
        "/admin/ingestion/staffaction/",
    ):
        answer = chief.get(address, secure=True)
        assert answer.status_code == 200
        kept.append({"page": answer.content.decode()})
    assert secret not in str(kept)
    assert secret not in caplog.text
    assert secret not in str(page.cookies)


def test_a_revoked_token_opens_nothing_and_cannot_be_opened_again(chief: Browser) -> None:
    secret = secret_in(post(chief, f"{TOKENS}add/", user=a_service_user(scope="ALL").pk, days=7))
    token = Token.objects.get()
    post(chief, TOKENS, action="revoke", _selected_action=[token.pk])
    assert Asker(secret).ask("clients/").status_code == 401
    assert StaffAction.objects.filter(action="revoke API token", actor="chief").count() == 1
    post(chief, TOKENS, action="revoke", _selected_action=[token.pk])
    assert StaffAction.objects.filter(action="revoke API token").count() == 1
    assert post(chief, f"{TOKENS}{token.pk}/change/", revoked_at="").status_code == 403
    assert post(chief, f"{TOKENS}{token.pk}/delete/", post="yes").status_code == 403
    assert Asker(secret).ask("clients/").status_code == 401


@pytest.mark.parametrize("group", [None, "viewer", "operator", "onboarder"])
def test_no_group_makes_tokens_or_sees_them(group: str | None) -> None:
    browser, user = a_member(group), a_service_user(scope="ALL")
    token, _ = Token.make(user, "test", user.created_at - user.created_at)
    for address in (USERS, TOKENS, f"{USERS}add/", f"{TOKENS}add/", f"{TOKENS}{token.pk}/change/"):
        assert browser.get(address, secure=True).status_code == 403
    post(browser, f"{TOKENS}add/", user=user.pk, days=7)
    post(browser, TOKENS, action="revoke", _selected_action=[token.pk])
    assert Token.objects.get().revoked_at is None
    assert "/admin/api/" not in browser.get("/admin/", secure=True).content.decode()


def test_who_may_see_tokens_may_not_make_or_revoke_them() -> None:
    browser, user = a_member("viewer"), a_service_user(scope="ALL")
    User.objects.get().user_permissions.add(Permission.objects.get(codename="view_token"))
    token, _ = Token.make(user, "test", user.created_at - user.created_at)
    assert browser.get(TOKENS, secure=True).status_code == 200
    assert post(browser, f"{TOKENS}add/", user=user.pk, days=7).status_code == 403
    post(browser, TOKENS, action="revoke", _selected_action=[token.pk])
    assert Token.objects.get().revoked_at is None
