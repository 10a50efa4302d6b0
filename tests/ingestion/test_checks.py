"""System checks: KCX does not start with settings that would break its promises."""

from typing import Any

import pytest
from django.core.checks import run_checks


def found() -> list[str | None]:
    return [message.id for message in run_checks() if str(message.id).startswith("kcx.")]


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
        ({"options": ""}, "kcx.E004"),
    ],
)
def test_a_dead_session_must_end_and_no_lock_be_waited_for_without_end(
    settings: Any, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], error: str
) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {**options, **change})
    assert found() == [error]
