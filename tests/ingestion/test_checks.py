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
