"""Who may ask, and how those who may not are told."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client as Browser
from django.utils import timezone

from kcx.api.models import Token
from tests.api.asking import API, Asker, a_service_user, of_all, of_clients
from tests.ingestion.registered import a_connection

pytestmark = pytest.mark.django_db
PROBLEM = "application/problem+json"


def problem(answer: Any, status: int, code: str) -> Any:
    assert (answer.status_code, answer["Content-Type"]) == (status, PROBLEM)
    told = answer.json()
    assert (told["status"], told["code"], told["type"]) == (status, code, "about:blank")
    return told


def a_token(**fields: Any) -> tuple[Token, Asker]:
    token, secret = Token.make(a_service_user(scope="ALL"), "test", timedelta(hours=1))
    Token.objects.filter(pk=token.pk).update(**fields)
    return token, Asker(secret)


@pytest.mark.parametrize("scheme", ["Token", "Bearer", "bearer"])
def test_a_token_opens_the_api(scheme: str) -> None:
    _, asker = a_token()
    answer = Browser(headers={"Authorization": f"{scheme} {asker.secret}"}).get(API + "clients/", secure=True)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", [None, "Token", "Token a b", "Basic eDp5", "Token \xff\xfe", "Token nothing"]
)
def test_whoever_has_no_token_is_asked_for_one(header: str | None) -> None:
    answer = Browser(headers={"Authorization": header} if header else {}).get(API + "clients/", secure=True)
    assert problem(answer, 401, "authentication_failed" if header else "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Token realm="KCX"'


@pytest.mark.parametrize("ended", ["expiry", "revoked_at"])
def test_an_expired_or_revoked_token_opens_nothing_and_stays_on_record(ended: str) -> None:
    token, asker = a_token(**{ended: timezone.now()})
    problem(asker.ask("clients/"), 401, "authentication_failed")
    assert Token.objects.filter(pk=token.pk).exists()


def test_a_disabled_service_user_opens_nothing() -> None:
    token, asker = a_token()
    assert asker.ask("clients/").status_code == 200
    token.user.enabled = False
    token.user.save()
    problem(asker.ask("clients/"), 401, "authentication_failed")


def test_the_secret_is_nowhere_in_the_database() -> None:
    token, asker = a_token()
    stored = Token.objects.filter(pk=token.pk).values().get()
    assert asker.secret not in str(stored)
    assert asker.secret.startswith("kcx_")
    assert len(asker.secret) == 68


def test_a_session_opens_nothing() -> None:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("chief"))
    problem(browser.get(API + "clients/", secure=True), 401, "not_authenticated")


def test_a_scope_holds_its_clients_and_those_of_all_every_one() -> None:
    one, other = a_connection(), a_connection()
    for address in ("clients/", "connections/"):
        assert len(of_clients(one.client).results(address)) == 1
        assert of_clients().results(address) == []
        assert len(of_all().results(address)) == 2
    assert of_clients(one.client).results("connections/", client=other.client_id) == []
    problem(of_clients(one.client).ask(f"connections/{other.pk}/"), 404, "not_found")


def test_pages_follow_each_other_and_end() -> None:
    ids = [a_connection().pk for _ in range(5)]
    asker, address, seen, pages = of_all(), "connections/?limit=2", [], 0
    while address:
        page = asker.ask(address).json()
        seen += [one["id"] for one in page["results"]]
        address, pages = page["next"], pages + 1
    assert (seen, pages) == (ids, 3)


@pytest.mark.parametrize("cursor", ["x", "", "eyJhIjoxfQ:1:2", "\u0000", "\u00e9:" * 40])
def test_a_cursor_kcx_did_not_write_is_refused(cursor: str) -> None:
    told = problem(of_all().ask("clients/", cursor=cursor), 400, "invalid")
    assert "cursor" in told["errors"]


def test_a_cursor_of_another_list_is_refused() -> None:
    a_connection(), a_connection()
    cursor = of_all().ask("clients/?limit=1").json()["next"].partition("cursor=")[2]
    assert of_all().ask(f"clients/?cursor={cursor}").status_code == 200
    problem(of_all().ask(f"connections/?cursor={cursor}"), 400, "invalid")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "client=0",
        "client=99999999999999999999",
        "clinet=1",
        "client=1&client=2",
    ],
)
def test_what_a_list_cannot_be_asked_is_refused(query: str) -> None:
    told = problem(of_all().ask(f"connections/?{query}"), 400, "invalid")
    assert list(told["errors"]) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("method", "address", "status", "code"),
    [
        ("POST", "clients/", 405, "method_not_allowed"),
        ("DELETE", "clients/1/", 405, "method_not_allowed"),
        ("GET", "clients", 404, "not_found"),
        ("PATCH", "nowhere/", 404, "not_found"),
        ("GET", "clients/1/", 404, "not_found"),
    ],
)
def test_errors_are_problems(method: str, address: str, status: int, code: str) -> None:
    problem(of_all().ask(address, method), status, code)
    problem(Asker("").ask(address, method), 401, "not_authenticated")


def test_what_cannot_be_answered_in_the_asked_form_is_said_in_json() -> None:
    problem(of_all().ask("clients/", headers={"Accept": "text/html"}), 406, "not_acceptable")


def test_a_token_that_asks_too_often_is_told_when_to_come_back(settings: Any) -> None:
    settings.KCX_API_REQUESTS_PER_MINUTE = 2
    cache.clear()
    asker, other = of_all(), of_all()
    assert [asker.ask("clients/").status_code for _ in range(3)] == [200, 200, 429]
    answer = asker.ask("clients/")
    problem(answer, 429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 61
    assert other.ask("clients/").status_code == 200
