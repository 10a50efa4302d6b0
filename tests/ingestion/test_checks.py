"""System checks: KCX does not start with settings that would break its promises."""

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection, connections

from ingestion import checks

SERVERS_SIDE = (
    "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
    " -c tcp_user_timeout=60000"
)


def found(databases: list[str] | None = None) -> list[str | None]:
    messages = run_checks(databases=databases)
    return [message.id for message in messages if str(message.id).startswith("kcx.")]


@pytest.mark.parametrize(
    ("retry", "timeout", "errors"), [(61, 60, []), (60, 60, ["kcx.E001"]), (30, 60, ["kcx.E001"])]
)
def test_a_task_that_may_still_run_must_not_be_handed_out_again(
    settings: Any, retry: int, timeout: int, errors: list[str]
) -> None:
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "retry": retry, "timeout": timeout}
    assert found() == errors


@pytest.mark.parametrize("part", ["NAME", "HOST", "PORT"])
def test_rows_and_progress_must_be_of_one_database(
    settings: Any, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setitem(settings.DATABASES["progress"], part, "another")
    assert found() == ["kcx.E002"]


def test_the_settings_as_they_are_pass() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"keepalives": 0}, "kcx.E003"),
        ({"keepalives_idle": 7200}, "kcx.E003"),
        ({"tcp_user_timeout": 0}, "kcx.E003"),
        ({"options": f"-c lock_timeout=5000 {SERVERS_SIDE.replace('=30', '=7200')}"}, "kcx.E003"),
        ({"options": "-c lock_timeout=5000"}, "kcx.E003"),
        ({"options": SERVERS_SIDE}, "kcx.E004"),
    ],
)
def test_a_dead_session_must_end_and_no_lock_be_waited_for_without_end(
    settings: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], error: str
) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {**options, **change})
    assert found() == [error]


@pytest.mark.django_db
def test_the_server_leaves_a_loads_session_as_it_should_be() -> None:
    assert found(["default"]) == []


@pytest.mark.django_db
def test_a_server_that_makes_other_of_a_loads_session_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a pooler does that hands each statement to another session.
    monkeypatch.setattr(checks, "prepare_for_load", lambda: None)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1h'")
    told = [message.msg for message in checks.loads_are_not_cut_short(databases=["default"])]
    assert [text.partition(":")[0] for text in told] == [
        "In a load, idle_in_transaction_session_timeout is 0",
        "In a load, statement_timeout is 3600000",
    ]


@pytest.mark.django_db(databases=["default", "progress"])
@pytest.mark.parametrize("alias", ["default", "progress"])
def test_every_session_asks_the_server_to_notice_a_host_that_is_gone(alias: str) -> None:
    # By a Unix socket the server answers 0 for what is in force: there it notices at once.
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "SELECT name, reset_val FROM pg_settings WHERE starts_with(name, 'tcp_') AND source = 'client'"
        )
        assert dict(cursor.fetchall()) == {
            "tcp_keepalives_idle": "30",
            "tcp_keepalives_interval": "10",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": "60000",
        }


@pytest.mark.django_db
def test_a_server_that_would_keep_the_session_of_a_host_that_is_gone_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The tests' server has a Unix socket only, for which it says 0: as one does over TCP that keeps no time.
    monkeypatch.setattr(
        checks, "IN_ANY_SESSION", checks.IN_ANY_SESSION.replace("AND inet_server_addr() IS NOT NULL", "")
    )
    told = [message.msg for message in checks.loads_are_not_cut_short(databases=["default"])]
    assert [text.partition(":")[0] for text in told] == [
        "tcp_keepalives_count is 0",
        "tcp_keepalives_idle is 0",
        "tcp_keepalives_interval is 0",
        "tcp_user_timeout is 0",
    ]


@pytest.mark.django_db
def test_a_server_that_lets_sessions_wait_for_locks_without_end_is_told() -> None:
    # As behind a pooler that is told to drop the options with which KCX opens its sessions.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 0")
    (told,) = checks.loads_are_not_cut_short(databases=["default"])
    assert (told.id, told.msg) == ("kcx.E006", "lock_timeout is 0: locks are waited for without end.")


@pytest.mark.django_db
def test_a_load_may_be_idle_as_long_as_it_waits_for_aws(settings: Any) -> None:
    settings.KCX_AWS_SECONDS = 1000
    checks.prepare_for_load()
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_in_transaction_session_timeout')")
        assert cursor.fetchone() == ("1060s",)
