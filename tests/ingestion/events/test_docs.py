"""docs/events.md: its examples have the shape of real events, its snippet verifies a real webhook."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingestion.events import facts
from ingestion.events.endpoints import rotate
from ingestion.events.errors import (
    WebhookAddressRefused,
    WebhookCertificate,
    WebhookHostRefused,
    WebhookRefused,
    WebhookUnanswered,
    WebhookUnsigned,
)
from ingestion.events.outbox import record_test
from ingestion.events.sending import body_of
from ingestion.events.signing import signed_headers
from ingestion.layouts.families import Family
from ingestion.models import Event, LoadAttempt, WebhookEndpoint
from ingestion.restatements import compare
from tests.conftest import REPOSITORY
from tests.ingestion.events.conftest import Hook
from tests.kcx.situations import a_connection, a_delivery, a_file, an_export, months_ago

pytestmark = pytest.mark.django_db

DOCS = (REPOSITORY / "docs" / "events.md").read_text()
EXAMPLES = {one["type"]: one for one in map(json.loads, re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL))}
ERRORS = [
    WebhookAddressRefused,
    WebhookCertificate,
    WebhookHostRefused,
    WebhookRefused,
    WebhookUnanswered,
    WebhookUnsigned,
]


def shape(value: Any) -> Any:
    """Names and types, without the values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return [] if isinstance(value, list) else type(value).__name__


def happen() -> None:
    """One event of each kind."""
    connection = a_connection()
    export = an_export(connection)
    last_month = months_ago(1)
    before, after = a_delivery(export, "SUPERSEDED", period=last_month), a_delivery(export, period=last_month)
    file = a_file(export)
    after.files.add(file, through_defaults={"last_modified": timezone.now()})
    after.restatement = compare(before, after)
    facts.delivery_published(after, before)
    facts.delivery_incomplete(a_delivery(export, "INCOMPLETE"))
    facts.delivery_late(export, timezone.now() - timedelta(days=2), timezone.now() - timedelta(days=1))
    failed = a_file(export, "FAILED")
    facts.file_failed(failed, LoadAttempt.objects.create(source_file=failed, actor="a", worker="w"))
    facts.access_lost(connection, "check 1", "access_denied", "No.")


def test_the_examples_have_the_shape_of_real_events(hook: Hook) -> None:
    happen()
    record_test(hook.endpoint)
    real = {event.kind: shape(json.loads(body_of(event))) for event in Event.objects.all()}
    assert real.keys() == set(Event.Kind.values)
    assert {kind: shape(example) for kind, example in EXAMPLES.items()} == real


def test_every_kind_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `([a-z.]+)` \|", DOCS, re.MULTILINE)) == set(Event.Kind.values)


def test_the_examples_name_families_that_exist() -> None:
    families = {one["data"]["export"]["family"] for one in EXAMPLES.values() if "export" in one["data"]}
    assert families <= {family.value for family in Family}


def test_the_snippet_accepts_what_kcx_signs_and_nothing_else(hook: Hook) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict[str, Any] = {}
    exec(snippet, names)  # noqa: S102  # the documentation's own
    verify = names["verify"]
    body = body_of(record_test(hook.endpoint).event)
    headers = signed_headers(hook.endpoint, "id", body)
    assert verify(hook.secret, headers, body)
    assert not verify(hook.secret, headers, body + b" ")
    assert not verify(hook.secret, {**headers, "webhook-id": "another"}, body)
    later = str(int(headers["webhook-timestamp"]) + 1)
    assert not verify(hook.secret, {**headers, "webhook-timestamp": later}, body)
    assert not verify(hook.secret, headers, body, seconds=-1), "too old"
    new = rotate(hook.endpoint.pk, hook.endpoint.fingerprint, "Olga")
    assert not verify(new, headers, body)
    both = signed_headers(WebhookEndpoint.objects.get(), "id", body)
    assert verify(new, both, body)
    assert verify(hook.secret, both, body)


@pytest.mark.parametrize("error", ERRORS)
def test_every_reason_why_a_webhook_does_not_arrive_is_in_the_operators_table(error: Any) -> None:
    again = "yes" if error.transient else "no"
    row = f"| `{error.code}` | {again} | {error.__doc__} | {error.next_action} |"
    assert row in (REPOSITORY / "docs" / "operations.md").read_text()
