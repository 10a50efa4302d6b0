"""AWS's answer to AssumeRole: moto accepts a missing external id, an unknown role and any other account."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import AccessDeniedError
from moto.core.responses import ActionResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.responses import TokenResponse

from kcx.simulated_aws.conditions import as_list, conditions_hold, matches_wildcards
from kcx.simulated_aws.replacing import replaced

ROLE_ARN = re.compile(r"arn:(?P<partition>aws[-a-z]*):iam::(?P<account>\d{12}):role/.+")
SESSION_ARN = re.compile(r"arn:(aws[-a-z]*):sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True)
class Caller:
    """Who asks: an IAM user's ARN, or the ARN of an assumed role's session."""

    arn: str

    @property
    def account_id(self) -> str:
        return self.arn.split(":")[4]

    @property
    def principals(self) -> frozenset[str]:
        """Every spelling by which a trust policy may name this caller."""
        root = f"arn:{self.arn.split(':')[1]}:iam::{self.account_id}:root"
        names = {"*", self.arn, self.account_id, root}
        if session := SESSION_ARN.fullmatch(self.arn):
            names.add("arn:{}:iam::{}:role/{}".format(*session.groups()))
        return frozenset(names)


def trusts(trust: Mapping[str, Any], caller: Caller, external_id: str | None) -> bool:
    """Whether a role with this trust policy lets `caller` in with this external id (None: it sent none).

    Raises ValueError for a condition operator that is not simulated, rather than guess.
    """
    context = {"aws:principalarn": caller.arn, "aws:principalaccount": caller.account_id}
    if external_id is not None:
        context["sts:externalid"] = external_id
    effects = {
        statement["Effect"]
        for statement in as_list(trust["Statement"])
        if _is_about(statement, caller) and conditions_hold(statement.get("Condition", {}), context)
    }
    return "Allow" in effects and "Deny" not in effects


def _is_about(statement: Mapping[str, Any], caller: Caller) -> bool:
    actions = (str(action).lower() for action in as_list(statement.get("Action", [])))
    if not any(matches_wildcards(action, "sts:assumerole") for action in actions):
        return False
    principal = statement.get("Principal", {})
    named = [principal] if isinstance(principal, str) else as_list(principal.get("AWS", []))
    return not caller.principals.isdisjoint(named)


def _trust_policy_of(role_arn: str, partition: str) -> Mapping[str, Any] | None:
    """The trust policy of a role in whatever account it is, or None if `partition` has no such role."""
    parsed = ROLE_ARN.fullmatch(role_arn)
    if parsed is None or parsed["partition"] != partition:
        return None
    try:
        role = iam_backends[parsed["account"]][partition].get_role_by_arn(role_arn)
    except NotFoundException:
        return None
    document: dict[str, Any] = json.loads(role.assume_role_policy_document)
    return document


def _refuse_unless_trusted(request: TokenResponse) -> None:
    backend = request.backend
    _, caller_arn, _ = backend.get_caller_identity(request.get_access_key(), request.region)
    role_arn = str(request._get_param("RoleArn"))
    trust = _trust_policy_of(role_arn, request.partition)
    external_id = request._get_param("ExternalId")
    if trust is None or not trusts(trust, Caller(caller_arn), external_id):
        raise AccessDeniedError(caller_arn, f"sts:AssumeRole on resource: {role_arn}")


@contextmanager
def trust_policies_evaluated() -> Iterator[None]:
    """While it lasts, AssumeRole asks the role's trust policy, in whatever account the role is."""
    original = TokenResponse.assume_role

    def assume_role(request: TokenResponse) -> ActionResult:
        _refuse_unless_trusted(request)
        return original(request)

    with replaced(TokenResponse, "assume_role", assume_role):
        yield
