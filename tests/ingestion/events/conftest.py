"""Webhooks to a receiver on loopback, which an administrator allowed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ingestion.events import endpoints
from ingestion.events.signing import secret_of
from ingestion.models import WebhookEndpoint
from tests.ingestion.events.receiver import Receiver, receiver

LOOPBACK = "127.0.0.0/8"


@dataclass
class Hook:
    """An endpoint, what signs its webhooks, and who gets them."""

    endpoint: WebhookEndpoint
    secret: str
    receiver: Receiver


def an_endpoint(url: str, **values: Any) -> WebhookEndpoint:
    """Made as staff do, by a form that allows every URL."""
    endpoint = WebhookEndpoint(**{"name": f"hook {WebhookEndpoint.objects.count()}", "url": url, **values})
    endpoints.save(endpoint, "Olga", {})
    return endpoint


@pytest.fixture
def listening(settings: Any) -> Iterator[Receiver]:
    """A receiver by HTTP, allowed."""
    with receiver() as running:
        settings.KCX_WEBHOOK_HOSTS = [f"http://127.0.0.1:{running.port}"]
        settings.KCX_WEBHOOK_NETWORKS = [LOOPBACK]
        yield running


@pytest.fixture
def hook(db: None, listening: Receiver) -> Hook:
    """An endpoint for all events of all clients."""
    endpoint = an_endpoint(f"http://127.0.0.1:{listening.port}/hook?of=kcx")
    return Hook(endpoint, secret_of(endpoint.seed, endpoint.fingerprint), listening)
