"""`manage.py database_roles`, and the check that tells who is connected."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from kcx.roles import Roles
from tests.processes import manage
from tests.roles import drop, login, roles_set_up, run, session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]


@pytest.fixture
def real_server(settings: Any) -> None:
    settings.EMBEDDED = False


@pytest.fixture
def roles(real_server: None) -> Iterator[Roles]:
    """Names of roles; whichever of them a test makes are dropped."""
    named = Roles.named(prefix())
    yield named
    drop(named)


def prefix() -> str:
    return f"{connection.settings_dict['NAME']} command"


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("database_roles", "--prefix", prefix(), *arguments, stdout=out)
    return out.getvalue()


def existing(roles: Roles) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_roles WHERE rolname IN (%s, %s, %s)",
            [roles.owner, roles.loader, roles.reader],
        )
        return int(cursor.fetchone()[0])


def warnings() -> list[str | None]:
    return [message.id for message in run_checks(databases=["default"]) if message.id == "kcx.W001"]


@pytest.mark.parametrize("arguments", [(), ("--print",), ("--apply",)])
def test_the_embedded_database_has_one_role(settings: Any, arguments: tuple[str, ...]) -> None:
    settings.EMBEDDED = True
    with pytest.raises(CommandError, match="The embedded database has one role"):
        command(*arguments)


def test_what_is_printed_does_nothing_until_it_is_run_and_then_everything(roles: Roles) -> None:
    printed = command()
    assert printed == command("--print")
    assert existing(roles) == 0
    run(sql.SQL(printed))  # type: ignore[arg-type]  # no literal
    assert existing(roles) == 3
    assert [line for line in command().splitlines() if line.startswith(("CREATE", "ALTER"))] == []


def test_applying_makes_the_roles_and_applying_again_is_no_error(roles: Roles) -> None:
    assert f"{roles.owner}, {roles.loader} and {roles.reader} are set up" in command("--apply")
    assert existing(roles) == 3
    command("--apply")


def test_the_owner_gives_what_a_later_migration_made_its_rights(real_server: None) -> None:
    with roles_set_up() as roles, session_of(roles.owner) as owner, session_of(roles.loader) as loader:
        owner.execute("CREATE TABLE ingestion_later (a int)")
        with pytest.raises(InsufficientPrivilege):
            loader.execute("INSERT INTO ingestion_later VALUES (1)")
        names = ["--prefix", connection.settings_dict["NAME"]]
        with manage("database_roles", "--apply", *names, login=login(roles.owner)) as again:
            assert again.wait(timeout=60) == 0
        loader.execute("INSERT INTO ingestion_later VALUES (1)")
        with pytest.raises(InsufficientPrivilege):
            loader.execute("DELETE FROM ingestion_later")
        owner.execute("DROP TABLE ingestion_later")


def test_a_role_with_rights_from_elsewhere_is_refused_and_nothing_is_changed(roles: Roles) -> None:
    run(sql.SQL("CREATE ROLE {}").format(sql.Identifier(roles.owner)))
    run(
        sql.SQL("CREATE ROLE {} IN ROLE {}").format(sql.Identifier(roles.loader), sql.Identifier(roles.owner))
    )
    with pytest.raises(CommandError, match="could change billing_rawrow"):
        command("--apply")
    assert existing(roles) == 2


def test_a_connection_that_may_change_rows_is_warned_of(real_server: None) -> None:
    assert warnings() == ["kcx.W001"]


def test_the_loader_is_not_warned_of(roles: Roles) -> None:
    command("--apply")
    run(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(roles.loader)))
    with transaction.atomic():
        run(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(roles.loader)))
        assert warnings() == []


def test_the_embedded_database_and_an_empty_one_are_not_warned_of(settings: Any) -> None:
    settings.EMBEDDED = True
    assert warnings() == []
    settings.EMBEDDED = False
    with transaction.atomic():
        run(sql.SQL("SET LOCAL search_path = pg_temp"))
        assert warnings() == []
