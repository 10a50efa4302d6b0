"""One Chromium and one served site for all browser tests; every page is watched for what must not happen."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client as TestClient
from django.test import override_settings
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.live_server_helper import LiveServer

from ingestion.people import ensure_groups
from tests.browser.chromium import chromium_path
from tests.browser.watched import Watched
from tests.conftest import IN_CI

PASSWORD = "correct horse battery staple"
PlainHttp = override_settings(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECURE_SSL_REDIRECT=False,
    SESSION_COOKIE_SECURE=False,
    CSRF_COOKIE_SECURE=False,
    KCX_IAM_SECONDS=0,
    KCX_AWS_ACCOUNT_ID="999900001111",  # the simulated AWS's; else every page of texts asks STS
)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Where it is missing the tests are skipped, in CI they fail."""
    path = chromium_path()
    if path is None and IN_CI:
        pytest.fail("Chromium is missing, and CI must not skip the browser tests: .ci/run installs it")
    if path is None:
        pytest.skip("Chromium is missing: apt-get install chromium-headless-shell")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; nothing of the tests runs in it.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def site(django_db_setup: None) -> Iterator[str]:
    """The address of the site, served over the test's database."""
    with PlainHttp:
        server = LiveServer("127.0.0.1")
        yield server.url
        server.stop()


Opened = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, site: str, raw_database: None) -> Iterator[Opened]:
    """Opens a page for a new member of a group, or for nobody; at its end every page must have been clean."""
    ensure_groups()
    watched = []

    def open_page(group: str | None, *, width: int = 1280, dark: bool = False) -> Page:
        context = chromium.new_context(
            base_url=site,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Berlin",
        )
        context.set_default_timeout(15_000)
        if group:
            context.add_cookies([{"name": "sessionid", "value": _session(group), "url": site}])
        page = context.new_page()
        watched.append(Watched(page, urlsplit(site).netloc))
        return page

    yield open_page
    for one in watched:
        one.page.context.close()
    assert [wrong for one in watched for wrong in one.wrong] == []


def member(group: str) -> User:
    """Somebody of the group, with the password."""
    person = User.objects.filter(username=group).first()
    if person is None:
        person = User.objects.create_user(group, password=PASSWORD, is_staff=True)
        person.groups.add(Group.objects.get(name=group))
    return person


def _session(group: str) -> str:
    browser = TestClient()
    browser.force_login(member(group))
    return browser.cookies["sessionid"].value
