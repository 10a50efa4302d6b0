"""Further leaves of `errors.AccessError`, told by a look at the client's account; and of no look any more."""

from ingestion.errors import AccessError, IngestionError


class ExplicitDeny(AccessError):
    """A policy of the bucket or of the client's organisation denies what the role's own allows."""

    code = "explicit_deny"
    next_action = "Ask the client to except the role from the policy that denies, then check access again."


class RequesterPays(AccessError):
    """The bucket charges whoever reads it, and KCX does not offer to pay."""

    code = "requester_pays"
    next_action = "Ask the client to turn Requester Pays off for the bucket, then check access again."


class ForeignBucket(AccessError):
    """The bucket belongs to another account than the connection says."""

    code = "foreign_bucket"
    next_action = "Ask the client whose bucket it is; enter its owner on the connection if they confirm it."


class AccountProblem(AccessError):
    """AWS has closed the account, the bucket or the object to everybody."""

    code = "account_problem"
    next_action = "Ask the client to settle it with AWS Support, then check access again."


class CustomerKey(AccessError):
    """The object is encrypted with a key that S3 does not keep (SSE-C)."""

    code = "customer_key"
    next_action = "Ask the client to store it with SSE-S3 or SSE-KMS; AWS writes no export with SSE-C."


class SessionRefused(AccessError):
    """STS gives KCX no session of the role, for a reason other than the role's trust policy."""

    code = "session_refused"
    next_action = (
        "Read what AWS said: a region is activated in the account's settings, a policy is KCX's own to mend."
    )


class Refused(AccessError):
    """AWS refused, and will again, for a reason that KCX has no name for."""

    code = "aws_refused"
    next_action = "Read what AWS said, have whoever it concerns mend it, then retry."


class UnsafeRole(AccessError):
    """The role lets KCX's account in without the connection's external id."""

    code = "unsafe_role"
    next_action = "Ask the client to replace the role's trust policy by the one on the connection's page."


class WrongAccount(AccessError):
    """The role's session is not in the account that the role's ARN names."""

    code = "wrong_account"
    next_action = (
        "Compare the role's ARN with what the client sent; do not use the connection until it is clear."
    )


class AccountUnknown(AccessError):
    """KCX could not find out its own AWS account, which clients trust."""

    code = "account_unknown"
    next_action = "Set KCX_AWS_ACCOUNT_ID, or give KCX an AWS identity and a way to STS, and look again."


class ConnectionPurged(IngestionError):
    """The connection was purged: KCX never asks the client's account again."""

    code = "connection_purged"
    next_action = "None: it ended for good. Add another connection where the client comes back."
