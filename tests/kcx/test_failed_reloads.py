"""Reloads that failed are told in the attention list for a week, where nothing tries them again."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingestion.models import Client, LoadAttempt, SourceFile
from ingestion.people import ensure_groups
from kcx.dashboard.attention import attention
from kcx.dashboard.reloads import failed_reloads
from tests.kcx.situations import a_connection, a_file, a_member, an_export

pytestmark = pytest.mark.django_db


@pytest.fixture
def file() -> SourceFile:
    return a_file(an_export(a_connection("north")))


def tried(file: SourceFile, **values: Any) -> None:
    """A reload of the file that failed for good a moment ago; or what `values` say."""
    always = {
        "outcome": "FAILED",
        "is_reload": True,
        "error_code": "object_gone",
        "error_message": "The object is gone.",
        "next_action": "Ask the client.",
        "ended_at": timezone.now(),
    }
    LoadAttempt.objects.create(source_file=file, actor="anna", worker="host:1", **{**always, **values})


def connections_behind(link: str) -> list[str]:
    """Of the attempts that a viewer is shown there."""
    ensure_groups()
    shown = a_member("viewer").get(link).context["cl"].result_list
    return sorted(attempt.source_file.connection.name for attempt in shown)


def test_it_is_told_with_its_cause_and_leads_to_the_attempts(file: SourceFile) -> None:
    tried(file)
    tried(a_file(file.export), error_message="That one, too.")
    south = a_file(an_export(a_connection("south")))
    tried(south, error_code="corrupt_gzip")
    other, gone = attention([], worker_works=True, reloads=failed_reloads())
    assert (gone.kind, gone.about) == ("2 failed reloads", "north")
    assert (other.kind, other.about) == ("1 failed reload", "south")
    assert gone.cause == (
        "In the last week, and not tried again; the rows loaded before stay."
        " object_gone: That one, too. Ask the client."
    )
    tried(file, is_reload=False, outcome="SUCCEEDED", error_code="")
    assert connections_behind(gone.link) == ["north", "north"]
    assert "1 failed reload" in a_member("viewer").get("/admin/").content.decode()


def test_what_fails_alike_in_several_connections_is_one_entry(file: SourceFile) -> None:
    tried(file)
    tried(a_file(an_export(a_connection("south"))))
    tried(a_file(file.export), error_code="corrupt_gzip")
    _, entry = attention([], worker_works=True, reloads=failed_reloads())
    assert (entry.kind, entry.about) == ("2 failed reloads", "2 connections")
    assert connections_behind(entry.link) == ["north", "south"]


@pytest.mark.parametrize(
    "since",
    [
        {"is_reload": True, "outcome": "SUCCEEDED", "error_code": "", "rows": 1},
        {"outcome": "RUNNING", "error_code": "", "ended_at": None},
    ],
)
def test_what_was_tried_since_is_not_told(file: SourceFile, since: dict[str, Any]) -> None:
    tried(file)
    assert len(failed_reloads()) == 1
    tried(file, **since)
    assert failed_reloads() == []


def test_what_is_tried_again_or_was_told_for_a_week_or_is_no_reload_is_not_told(file: SourceFile) -> None:
    tried(a_file(file.export), is_reload=False)
    tried(a_file(file.export), ended_at=timezone.now() - timedelta(days=8))
    tried(a_file(an_export(a_connection("disabled", enabled=False))))
    tried(a_file(an_export(file.connection, "ignored", decision="IGNORE")))
    of_disabled_client = a_connection("of a disabled client")
    Client.objects.filter(pk=of_disabled_client.client_id).update(enabled=False)
    tried(a_file(an_export(of_disabled_client)))
    assert failed_reloads() == []
    tried(file)
    assert len(failed_reloads()) == 1
    SourceFile.objects.filter(pk=file.pk).update(reload_requested_at=timezone.now())
    assert failed_reloads() == []
