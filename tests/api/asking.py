"""Service users with tokens, and what they are answered."""

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.test import Client as Browser

from ingestion.models import Client
from kcx.api.models import ServiceUser, Token

API = "/api/v1/"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Asker:
    """Asks the API with one secret."""

    secret: str

    def ask(
        self, address: str, method: str = "GET", headers: dict[str, str] | None = None, **query: Any
    ) -> Any:
        """The response; `address` below /api/v1/, or whole."""
        whole = address if address.startswith(("/", "http")) else API + address
        sent = {"Authorization": f"Token {self.secret}", **(headers or {})} if self.secret else headers or {}
        return Browser(headers=sent).generic(method, whole, secure=True, query_params=query)

    def results(self, address: str, **query: Any) -> list[Any]:
        """The results of a list's first page."""
        answer = self.ask(address, **query)
        assert answer.status_code == 200, answer.content
        found: list[Any] = answer.json()["results"]
        return found


def a_service_user(*clients: Client, scope: str = "NAMED") -> ServiceUser:
    user = ServiceUser.objects.create(name=f"program {next(_numbers)}", scope=scope)
    user.clients.set(clients)
    return user


def of_clients(*clients: Client) -> Asker:
    return Asker(Token.make(a_service_user(*clients), "test", timedelta(hours=1))[1])


def of_all() -> Asker:
    return Asker(Token.make(a_service_user(scope="ALL"), "test", timedelta(hours=1))[1])
