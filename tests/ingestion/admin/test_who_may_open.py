"""Who may open which page of the admin: every address there is, for every group and for a stranger."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import URLPattern, URLResolver, reverse

from ingestion.artefacts.made import artefacts
from ingestion.people import ensure_groups
from kcx.dashboard.urls import urlpatterns as dashboard_pages
from tests.ingestion.admin.everything import one_of_everything

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]

GROUPS = ("viewer", "operator", "onboarder", "nobody", "stranger")
# What each group is answered, in that order: a stranger goes to the login; a part that is polled says 403.
SEEN = (200, 200, 200, 403, 302)
PART = (200, 200, 200, 403, 403)
BY_ONBOARDERS = (403, 403, 200, 403, 302)
CLOSED = (403, 403, 403, 403, 302)
ANY_STAFF = (200, 200, 200, 200, 302)
BY_POST = (405, 405, 405, 405, 302)
HAS_NO_ROWS = (404, 404, 404, 403, 302)
MADE_BY_ONBOARDERS = {"client", "clientconnection", "webhookendpoint"}
KINDS = ("changelist", "add", "change", "history", "delete")
OWN = {
    "ingestion_clientconnection_home": SEEN,
    "ingestion_clientconnection_ladder": PART,
    "ingestion_clientconnection_now": PART,
    "ingestion_clientconnection_transparency": SEEN,
    "ingestion_clientconnection_artefact": SEEN,
    "ingestion_clientconnection_act": BY_POST,
    "ingestion_sourcefile_state": PART,
    "ingestion_sourcefile_rows": SEEN,
    "ingestion_sourcefile_row": HAS_NO_ROWS,
    "ingestion_webhookendpoint_act": BY_POST,
    "ingestion_webhookmessage_redeliver": BY_POST,
    "auth_user_password_change": CLOSED,
    "index": ANY_STAFF,
    "live": PART,
    "coverage": SEEN,
}
# Django's and django-unfold's own, the same for everybody or of no page.
OF_THE_SITE = {"login", "logout", "password_change", "password_change_done", "autocomplete", "jsi18n"}
OF_THE_SITE |= {"view_on_site", "app_list", "search", "toggle_sidebar"}


def addresses() -> dict[str, list[str]]:
    """Every named address of the admin, with the names of its arguments."""
    found: dict[str, list[str]] = {}

    def walk(patterns: list[Any], above: list[str]) -> None:
        for one in patterns:
            arguments = [*above, *one.pattern.converters]
            if isinstance(one, URLResolver):
                walk(one.url_patterns, arguments)
            elif isinstance(one, URLPattern) and one.name:
                found[one.name] = arguments

    walk([*admin.site.get_urls(), *dashboard_pages], [])
    return found


def expected(name: str) -> tuple[int, ...]:
    """What the groups are answered. Raises KeyError for a page that nobody has thought about."""
    if name in OWN:
        return OWN[name]
    app, model, kind = name.split("_") if "django_q" not in name else ("django_q", *name.split("_")[2:])
    if kind not in KINDS:
        raise KeyError(name)
    if app != "ingestion" or kind == "delete":
        return CLOSED
    if kind == "add":
        return BY_ONBOARDERS if model in MADE_BY_ONBOARDERS else CLOSED
    return SEEN


def browser_of(group: str) -> Browser:
    browser = Browser()
    if group != "stranger":
        person = User.objects.create_user(f"a {group}", is_staff=True)
        if group != "nobody":
            person.groups.add(Group.objects.get(name=group))
        browser.force_login(person)
    return browser


def test_each_group_opens_what_is_its_own_and_nothing_else(settings: Any) -> None:
    settings.KCX_AWS_ACCOUNT_ID = "444455556666"
    ensure_groups()
    everything = one_of_everything()
    artefact = next(iter(artefacts(everything["ingestion.clientconnection"]))).name
    browsers = {group: browser_of(group) for group in GROUPS}
    told, wanted = {}, {}
    for name, arguments in addresses().items():
        if name in OF_THE_SITE:
            continue
        named = [one for label, one in everything.items() if name.startswith(label.replace(".", "_") + "_")]
        pk = named[0].pk if named else None
        given = {"pk": pk, "object_id": pk, "id": pk}
        given |= {"what": "verify", "name": artefact, "number": 1}
        space = "kcx" if name in ("live", "coverage") else "admin"
        page = reverse(f"{space}:{name}", kwargs={argument: given[argument] for argument in arguments})
        wanted[name] = dict(zip(GROUPS, expected(name), strict=True))
        told[name] = {group: browsers[group].get(page, secure=True).status_code for group in GROUPS}
    assert told == wanted
    assert len(told) > 100


def test_a_page_that_nobody_has_thought_about_is_refused_an_expectation() -> None:
    with pytest.raises(KeyError):
        expected("ingestion_sourcefile_secrets")
