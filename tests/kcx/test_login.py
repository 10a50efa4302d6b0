"""Passwords cannot be tried without end: after five in vain none is looked at for a quarter of an hour."""

from datetime import timedelta
from typing import Any

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from kcx.login_guard import address_of

pytestmark = pytest.mark.django_db
RIGHT, WRONG = "correct horse battery staple", "a guess"


@pytest.fixture(autouse=True)
def operator() -> User:
    return User.objects.create_user("operator", password=RIGHT, is_staff=True)


def tried(password: str, *, name: str = "operator", address: str = "10.1.1.1") -> HttpResponse:
    fields = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post(reverse("admin:login"), fields, secure=True)


def let_in(password: str, **at: str) -> bool:
    return tried(password, **at).status_code == 302


def test_after_five_wrong_passwords_the_right_one_is_refused_too() -> None:
    for _ in range(4):
        assert "correct username and password" in tried(WRONG).content.decode()
    told = tried(WRONG)
    assert told.status_code == 429
    assert "until 15 min have passed" in " ".join(told.content.decode().split())
    assert tried(RIGHT).status_code == 429


def test_others_are_let_in_meanwhile_and_so_is_the_same_name_from_elsewhere() -> None:
    User.objects.create_user("viewer", password=RIGHT, is_staff=True)
    for _ in range(6):
        tried(WRONG)
    assert let_in(RIGHT, name="viewer")
    assert let_in(RIGHT, address="10.1.1.2")
    assert not let_in(RIGHT)


def test_the_lock_ends_by_itself_however_often_it_is_tried_meanwhile() -> None:
    for _ in range(8):
        tried(WRONG)
    attempts = AccessAttempt.objects.filter(username="operator")
    assert attempts.get().failures_since_start == 5
    attempts.update(attempt_time=timezone.now() - timedelta(minutes=14))
    assert not let_in(RIGHT)
    attempts.update(attempt_time=timezone.now() - timedelta(minutes=16))
    assert let_in(RIGHT)


def test_a_login_forgets_what_went_wrong_before_it() -> None:
    for _ in range(2):
        for _ in range(4):
            tried(WRONG)
        assert let_in(RIGHT)


def test_an_administrator_lets_somebody_in_at_once() -> None:
    for _ in range(5):
        tried(WRONG)
    call_command("axes_reset_username", "operator")
    assert let_in(RIGHT)


def test_no_password_that_was_tried_is_kept() -> None:
    tried(WRONG)
    assert WRONG not in str(AccessAttempt.objects.values().get())


def test_who_came_in_and_went_is_kept_with_the_address() -> None:
    browser = Client(REMOTE_ADDR="10.1.1.1")
    fields = {"username": "operator", "password": RIGHT}
    assert browser.post(reverse("admin:login"), fields, secure=True).status_code == 302
    login = AccessLog.objects.get()
    assert (login.username, login.ip_address, login.logout_time) == ("operator", "10.1.1.1", None)
    browser.post(reverse("admin:logout"), secure=True)
    login.refresh_from_db()
    assert login.logout_time


@pytest.mark.parametrize(
    ("header", "behind_proxy", "expected"),
    [
        ("", None, "10.1.1.1"),
        ("192.0.2.7", None, "10.1.1.1"),
        ("192.0.2.7", ("HTTP_X_FORWARDED_PROTO", "https"), "192.0.2.7"),
        ("forged, 192.0.2.9, 192.0.2.7", ("HTTP_X_FORWARDED_PROTO", "https"), "192.0.2.7"),
        ("", ("HTTP_X_FORWARDED_PROTO", "https"), "10.1.1.1"),
        ("not an address", ("HTTP_X_FORWARDED_PROTO", "https"), None),
    ],
)
def test_the_address_is_the_last_that_a_trusted_proxy_adds(
    settings: Any, header: str, behind_proxy: tuple[str, str] | None, expected: str | None
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = behind_proxy
    headers = {"HTTP_X_FORWARDED_FOR": header} if header else {}
    assert address_of(RequestFactory(REMOTE_ADDR="10.1.1.1").get("/", **headers)) == expected


def test_a_login_lasts_a_working_day() -> None:
    assert tried(RIGHT).cookies["sessionid"]["max-age"] == 12 * 3600
