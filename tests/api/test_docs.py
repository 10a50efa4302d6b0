"""docs/api.md says what is so."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError

from kcx.api.files import Files
from kcx.api.problems import CONTENT_TYPE
from kcx.api.urls import router
from kcx.dashboard.calendar import Coverage
from tests.api.asking import of_all
from tests.api.test_description import schema
from tests.api.world import a_world

pytestmark = pytest.mark.django_db
TEXT = (settings.BASE_DIR / "docs" / "api.md").read_text()
PAGED = {"limit", "cursor"}


def test_every_resource_and_each_of_its_parameters_is_in_the_table() -> None:
    rows = re.findall(r"^\| `([a-z]+)/` \|.*?\|([^|]*)\|$", TEXT, re.MULTILINE)
    described = {name: set(re.findall("`([^`]*)`", parameters)) for name, parameters in rows}
    below = {name: described.pop(name) for name in Files.below}
    assert described.keys() == {prefix for prefix, _, _ in router.registry}
    for name, parameters in below.items():
        told = schema()["paths"][f"/api/v1/files/{{id}}/{name}/"]["get"]["parameters"]
        assert {one["name"] for one in told if one["in"] == "query"} == parameters
    for name, parameters in described.items():
        told = schema()["paths"][f"/api/v1/{name}/"]["get"]["parameters"]
        assert {one["name"] for one in told} - PAGED == parameters


def test_every_word_of_coverage_is_defined_here_and_for_the_dashboard() -> None:
    operations = (settings.BASE_DIR / "docs" / "operations.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", TEXT, re.MULTILINE)) == {one.name for one in Coverage}
    assert [one.words for one in Coverage if f"**{one.words}**" not in operations] == []


def test_what_the_examples_ask_is_answered() -> None:
    world = a_world()
    examples = re.findall(r"https://kcx\.example\.com(/[^\s\"]*)", TEXT)
    *lists, download = examples
    assert len(lists) == 2
    assert [of_all().ask(address).status_code for address in lists] == [200, 200]
    answer = of_all().ask(download.replace("/exports/2/", f"/exports/{world.export.pk}/"))
    # The rows are read by a session of its own, which does not see what this test has not committed.
    assert (answer.status_code, answer.json()["code"]) == (409, "selection_changed")


def test_an_error_nobody_foresaw_is_a_problem_that_tells_nothing_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_view: Files) -> Any:
        raise OperationalError("the words of a server that went away")

    monkeypatch.setattr(Files, "found", broken)
    answer = of_all().ask("files/")
    assert (answer.status_code, answer["Content-Type"]) == (500, CONTENT_TYPE)
    assert answer.json()["code"] == "error"
    assert "went away" not in answer.content.decode()
    assert "went away" in caplog.text
