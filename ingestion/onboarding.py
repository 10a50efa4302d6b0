"""Making a connection: the client, the external id, the two policies."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from ingestion.models import Client, ClientConnection
from ingestion.own_account import kcx_account_id
from ingestion.policies import Policy, permission_policy, trust_policy
from ingestion.staff_actions import record

# Leaves room for the number that makes a name the only one.
NAME_LENGTH = 190


@dataclass(frozen=True, slots=True)
class Enabling:
    """Enable at once, load whatever appears; `reason` says why without a passed access check."""

    reason: str


@dataclass(frozen=True, slots=True)
class Onboarded:
    """A new connection, and what the client is sent."""

    connection: ClientConnection
    trust_policy: Policy
    permission_policy: Policy


def policies_of(connection: ClientConnection) -> tuple[Policy, Policy]:
    """The trust policy and the permission policy of the connection's role. Raises AccountUnknown."""
    return (
        trust_policy(connection.partition, kcx_account_id(connection.region), connection.external_id),
        permission_policy(connection.partition, connection.bucket, connection.prefix, connection.kms_key_arn),
    )


@transaction.atomic
def onboard(
    client_name: str, values: dict[str, Any], enabling: Enabling | None = None, actor: str = "command line"
) -> Onboarded:
    """Create the connection (and the client, if new) from a ClientConnection's own field names.

    Raises ValidationError where a value is refused, AccountUnknown where KCX's account is not known;
    then nothing is created.
    """
    connection = ClientConnection(**values)
    if enabling:
        connection.enabled = connection.load_new_exports = True
        connection.unverified_reason = enabling.reason
    add_connection(connection, client_name, actor)
    if enabling:
        record(actor, "enable", connection=connection, reason=enabling.reason, detail={"verified": False})
    return Onboarded(connection, *policies_of(connection))


@transaction.atomic
def add_connection(connection: ClientConnection, client_name: str, actor: str) -> None:
    """Save a new connection of this client (made, if new), named after both if it has no name; recorded.

    Raises ValidationError where a value is refused; then nothing is created.
    """
    connection.client = _client(client_name)
    connection.name = connection.name or free_name(f"{client_name} {connection.bucket}"[:NAME_LENGTH])
    connection.full_clean()
    connection.save()
    record(actor, "onboard", connection=connection, detail=connection.subject)


@transaction.atomic
def enter_role(connection: ClientConnection, role_arn: str, actor: str) -> None:
    """Enter the role that the client sent; recorded.

    Raises ValidationError where it is none, or where the connection is enabled with another.
    """
    locked = ClientConnection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    before, locked.role_arn = locked.role_arn, role_arn
    locked.full_clean()
    locked.save(update_fields=["role_arn"])
    detail = {"role_arn": {"before": before, "after": role_arn}}
    record(actor, "change connection", connection=locked, detail=detail)


def _client(name: str) -> Client:
    try:
        Client(name=name).clean_fields()
    except ValidationError as error:
        raise ValidationError({"client": error.messages}) from error
    return Client.objects.get_or_create(name=name)[0]


def free_name(wanted: str) -> str:
    """`wanted`, or the first of `wanted 2`, `wanted 3`, ... that no connection has."""
    taken = set(ClientConnection.objects.filter(name__startswith=wanted).values_list("name", flat=True))
    if wanted not in taken:
        return wanted
    return next(name for n in range(2, len(taken) + 3) if (name := f"{wanted} {n}") not in taken)
