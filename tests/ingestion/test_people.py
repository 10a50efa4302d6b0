"""The three groups, and the record of what people did."""

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from ingestion.models import LoadAttempt, StaffAction
from ingestion.staff_actions import record
from tests.ingestion.registered import a_connection, an_export, failed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]

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
