"""Passwords cannot be tried without end: after five in vain none is looked at for a quarter of an hour."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

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
