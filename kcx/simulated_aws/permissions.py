"""What a role's session may do: IAM policies, the session's own, its end; moto leaves conditions out."""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from moto.core.utils import utcnow
from moto.iam.access_control import AssumedRoleAccessKey, IAMPolicy, IAMRequestBase
from moto.iam.exceptions import NotFoundException
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends
from moto.sts.models import AssumedRole, sts_backends

from kcx.simulated_aws.conditions import as_list, conditions_hold, matches_wildcards


def permits(
    policies: Iterable[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Whether one statement allows the action and none denies it; `context` as for conditions."""
    effects = {
        statement["Effect"]
        for document in policies
        for statement in as_list(document["Statement"])
        if _names(statement, "Action", action, str.lower)
        and _names(statement, "Resource", resource, str)
        and conditions_hold(statement.get("Condition", {}), context)
    }
    return "Allow" in effects and "Deny" not in effects


def refuse_unless_permitted(request: IAMRequestBase, resource: str) -> None:
    """AWS's answer to a request whose signature is right: an error, or nothing where it may go on."""
    session = _session_of(request)
    if session is not None and session.expiration <= utcnow():
        raise S3ClientError("ExpiredToken", "The provided token has expired.")
    if request._action == "sts:GetCallerIdentity":  # allowed to everyone
        return
    if request._action == "s3:HeadBucket":  # no such action: AWS asks for this one
        request._action = "s3:ListBucket"
    _refuse_what_the_bucket_denies(request, resource)
    if not _may(request, request._action, resource):
        request._raise_access_denied()
    key_arn = _kms_key_of(resource) if request._action == "s3:GetObject" else None
    if key_arn is not None and not _may(request, "kms:Decrypt", key_arn):
        raise S3ClientError(
            "AccessDenied",
            f"User: {request._access_key.arn} is not authorized to perform: kms:Decrypt on resource: "
            f"{key_arn} because no identity-based policy allows the kms:Decrypt action",
        )


def _refuse_what_the_bucket_denies(request: IAMRequestBase, resource: str) -> None:
    """A bucket's own policy can deny what a role's allows. What it allows is left out: KCX never needs it."""
    statements = as_list(_bucket_policy_of(resource).get("Statement", []))
    denied = any(
        statement["Effect"] == "Deny"
        and _names(statement, "Action", request._action, str.lower)
        and _names(statement, "Resource", resource, str)
        and conditions_hold(statement.get("Condition", {}), _context(request))
        for statement in statements
    )
    if denied:
        raise S3ClientError(
            "AccessDenied",
            f"User: {request._access_key.arn} is not authorized to perform: {request._action} on resource: "
            f'"{resource}" with an explicit deny in a resource-based policy',
        )


def _bucket_policy_of(resource: str) -> Mapping[str, Any]:
    bucket = resource.partition(":::")[2].partition("/")[0]
    if bucket not in s3_backends.bucket_accounts:
        return {}
    partition, owner = s3_backends.bucket_accounts[bucket]
    document: Mapping[str, Any] = vars(s3_backends[owner][partition].get_bucket(bucket)).get("denials", {})
    return document


def _names(statement: Mapping[str, Any], element: str, value: str, fold: Any) -> bool:
    """Whether the element (or its Not-form, which names all others) covers `value`."""
    negated = f"Not{element}" in statement
    patterns = as_list(statement[f"Not{element}" if negated else element])
    return any(matches_wildcards(fold(pattern), fold(value)) for pattern in patterns) is not negated


def _may(request: IAMRequestBase, action: str, resource: str) -> bool:
    try:
        policies = [IAMPolicy(policy)._policy_json for policy in request._access_key.collect_policies()]
    except NotFoundException:  # the role was deleted while its session lives on
        return False
    session = _session_of(request)
    narrowed = [json.loads(session.policy)] if session is not None and session.policy else policies
    context = _context(request)
    return all(permits(some, action, resource, context) for some in (policies, narrowed))


def _session_of(request: IAMRequestBase) -> AssumedRole | None:
    key = request._access_key
    if not isinstance(key, AssumedRoleAccessKey):
        return None
    backend = sts_backends[key.account_id][key.partition]
    session: AssumedRole | None = backend.get_assumed_role_from_access_key(key._access_key_id)
    return session


def _context(request: IAMRequestBase) -> dict[str, str]:
    """The condition keys of a request; one that it does not send is not there, and matches nothing."""
    query = parse_qs(urlsplit(request._path).query, keep_blank_values=True)
    return {f"s3:{name}": query[name][0] for name in ("prefix", "delimiter", "max-keys") if name in query}


def _kms_key_of(resource: str) -> str | None:
    """The ARN of the key that an object is encrypted with."""
    bucket, _, key = resource.split(":::")[1].partition("/")
    if bucket not in s3_backends.bucket_accounts:
        return None
    partition, owner = s3_backends.bucket_accounts[bucket]
    stored = s3_backends[owner][partition].get_bucket(bucket).keys.get(key)
    arn: str | None = stored.kms_key_id if stored is not None else None
    return arn
