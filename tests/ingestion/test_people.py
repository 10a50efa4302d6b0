"""The three groups, and the record of what people did."""

from collections.abc import Sequence

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse

from ingestion.models import LoadAttempt, StaffAction
from ingestion.staff_actions import record
from tests.ingestion.registered import a_connection, an_export, failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]
SECRET = "a new and secret word"  # of nobody

ALLOWED = {
    "viewer": {"view_sourcefile", "view_clientconnection", "view_loadattempt", "view_staffaction"},
    "operator": {"operate_sourcefile", "discover_clientconnection"},
    "onboarder": {"add_clientconnection", "change_clientconnection", "onboard_clientconnection"},
}


@pytest.fixture(autouse=True)
def groups(raw_database: None) -> None:
    call_command("migrate", verbosity=0)


@pytest.mark.parametrize("name", ALLOWED)
def test_each_group_may_do_its_own_and_nothing_more(name: str) -> None:
    person = User.objects.create_user(name, is_staff=True)
    person.groups.add(Group.objects.get(name=name))
    may = {permission.partition(".")[2] for permission in person.get_all_permissions()}
    assert ALLOWED["viewer"] | ALLOWED[name] <= may
    others = set().union(*(wanted for group, wanted in ALLOWED.items() if group not in ("viewer", name)))
    assert may & others <= ({"discover_clientconnection"} if name == "onboarder" else set())
    assert not {codename for codename in may if codename.startswith("delete_") or codename.endswith("_user")}


def test_a_group_that_somebody_changed_is_mended_by_the_next_migrate() -> None:
    Group.objects.get(name="viewer").permissions.set(Group.objects.get(name="onboarder").permissions.all())
    call_command("migrate", verbosity=0)
    assert not Group.objects.get(name="viewer").permissions.exclude(codename__startswith="view_").exists()


def test_an_action_is_recorded_with_its_files_connection_and_never_changed() -> None:
    file = failed(an_export(a_connection()), key="a.csv")
    done = record("anna", "retry", source_file=file, reason="AWS mended it")
    assert (done.connection_id, done.actor, done.reason) == (file.connection_id, "anna", "AWS mended it")
    for statement in (
        "UPDATE ingestion_staffaction SET actor = 'nobody'",
        "DELETE FROM ingestion_staffaction",
    ):
        with (
            pytest.raises(ProgrammingError, match="never"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert StaffAction.objects.get().actor == "anna"


def test_an_attempt_that_is_closed_cannot_be_told_otherwise() -> None:
    file = failed(an_export(a_connection()), key="a.csv")
    attempt = LoadAttempt.objects.create(source_file=file, actor="x", worker="h:1")
    LoadAttempt.objects.filter(pk=attempt.pk).update(rows=5)
    LoadAttempt.objects.filter(pk=attempt.pk).update(
        outcome="FAILED", error_code="bad_csv", ended_at=attempt.started_at
    )
    with pytest.raises(ProgrammingError, match="never changed"):
        LoadAttempt.objects.filter(pk=attempt.pk).update(rows=6)


@pytest.fixture
def chief(client: Browser) -> Browser:
    client.force_login(User.objects.create_superuser("chief"))
    return client


def form_of(browser: Browser, path: str) -> dict[str, object]:
    """What the page's form would send unchanged."""
    form = browser.get(path, secure=True).context["adminform"].form
    fields = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: value for name, value in fields.items() if value not in (None, False)}
    return {name: [one.pk for one in value] if name in LISTS else value for name, value in sent.items()}


LISTS = ("groups", "user_permissions", "permissions")


def told(action: str) -> StaffAction:
    found: StaffAction = StaffAction.objects.get(action=action, actor="chief")
    return found


def test_who_makes_and_changes_a_person_is_recorded_before_and_after(chief: Browser) -> None:
    new = {"username": "new", "usable_password": "true", "password1": SECRET, "password2": SECRET}
    assert chief.post(reverse("admin:auth_user_add"), new, secure=True).status_code == 302
    person = User.objects.get(username="new")
    assert told("add_user").detail["after"]["name"] == "new"

    path = reverse("admin:auth_user_change", args=[person.pk])
    onboarder = Group.objects.get(name="onboarder").pk
    changed = form_of(chief, path) | {"is_staff": "on", "groups": [onboarder], "date_joined_0": "2026-01-01"}
    changed |= {"date_joined_1": "00:00:00", "is_active": ""}
    assert chief.post(path, changed, secure=True).status_code == 302
    detail = told("change_user").detail
    assert detail["before"] == person_who("new", active=True)
    assert detail["after"] == person_who("new", staff=True, groups=["onboarder"])


def person_who(
    name: str, *, active: bool = False, staff: bool = False, groups: Sequence[str] = ()
) -> dict[str, object]:
    facts = {"name": name, "active": active, "staff": staff, "superuser": False}
    return {**facts, "groups": list(groups), "own permissions": []}


def test_a_new_password_is_recorded_and_never_shown(chief: Browser) -> None:
    person = User.objects.create_user("somebody")
    path = reverse("admin:auth_user_password_change", args=[person.pk])
    sent = {"usable_password": "true", "password1": SECRET, "password2": SECRET}
    assert chief.post(path, sent, secure=True).status_code == 302
    detail = told("change_user").detail
    assert "password" in detail["form"].lower()
    person.refresh_from_db()
    assert SECRET not in str(detail)
    assert person.password not in str(detail)


def test_a_group_that_is_made_changed_and_deleted_is_recorded(chief: Browser) -> None:
    assert chief.post(reverse("admin:auth_group_add"), {"name": "mine"}, secure=True).status_code == 302
    group = Group.objects.get(name="mine")
    assert told("add_group").detail["after"] == {"name": "mine", "permissions": []}
    may = Permission.objects.get(codename="operate_sourcefile")
    path = reverse("admin:auth_group_change", args=[group.pk])
    assert chief.post(path, {"name": "mine", "permissions": [may.pk]}, secure=True).status_code == 302
    after = {"name": "mine", "permissions": ["ingestion.operate_sourcefile"]}
    assert told("change_group").detail["after"] == after
    chief.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}, secure=True)
    assert not Group.objects.filter(name="mine").exists()
    assert told("delete_group").detail == {"before": after}
