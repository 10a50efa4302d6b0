"""The demo's clients pass the whole access ladder unaided, but for the one whose role is unsafe."""

import pytest
from django.core.exceptions import ValidationError

from ingestion.access.check import run_access_check
from ingestion.access.enabling import enable
from ingestion.models import AccessCheck, ClientConnection
from ingestion.onboarding import onboard
from kcx.demo.clients import CLIENTS, DemoClient, deliver_history

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("aws", "raw_database"),
]

SAFE = [client for client in CLIENTS if client.asks_for_external_id]
UNSAFE = [client for client in CLIENTS if not client.asks_for_external_id]


def checked(client: DemoClient) -> tuple[ClientConnection, AccessCheck]:
    """The client onboarded and delivered to as the demo does it, and what its access check found."""
    account = client.account
    values = {"role_arn": account.role_arn, "bucket": account.bucket}
    made = onboard(client.name, {**values, "prefix": account.prefix, "region": account.region})
    account.create_bucket()
    client.make_role(made.trust_policy, made.permission_policy)
    deliver_history(client)
    check = run_access_check(made.connection.pk, "a test")
    assert check is not None
    return made.connection, check


@pytest.mark.parametrize("client", SAFE, ids=lambda client: client.name)
def test_a_client_of_the_demo_passes_every_rung_and_may_be_enabled(client: DemoClient) -> None:
    connection, check = checked(client)
    assert {rung["code"]: rung["verdict"] for rung in check.rungs if rung["verdict"] != "passed"} == {}
    assert check.outcome == "PASSED"
    enable(connection, "a test")
    assert connection.enabled


def test_the_demo_has_one_client_whose_role_is_unsafe() -> None:
    assert [client.name for client in UNSAFE] == ["Drizzle Media"]


def test_the_unsafe_role_is_refused_for_that_alone_and_never_enabled() -> None:
    connection, check = checked(UNSAFE[0])
    failed = [rung["code"] for rung in check.rungs if rung["verdict"] != "passed"]
    assert failed == ["external_id_missing", "external_id_wrong"]
    with pytest.raises(ValidationError, match="without the right external id"):
        enable(connection, "a test", "it is only a demo")
