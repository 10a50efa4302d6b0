"""The IAM policies of a connection: what the client grants, and what KCX narrows its own session to."""

import re
from typing import Any

Policy = dict[str, Any]


def trust_policy(partition: str, kcx_account_id: str, external_id: str) -> Policy:
    """Lets KCX's account assume the role, with this external id only."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{kcx_account_id}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def permission_policy(partition: str, bucket: str, prefix: str, kms_key_arn: str = "") -> Policy:
    """`s3:ListBucket` and `s3:GetObject` on one bucket and prefix; `kms:Decrypt` on one named key."""
    arn = f"arn:{partition}:s3:::{bucket}"
    under = _literal(prefix) + "*"
    statements: list[Policy] = [
        {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": arn,
            "Condition": {"StringLike": {"s3:prefix": under}},
        },
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{arn}/{under}"},
    ]
    if kms_key_arn:
        statements.append({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": kms_key_arn})
    return {"Version": "2012-10-17", "Statement": statements}


def _literal(prefix: str) -> str:
    """`prefix` with the characters that mean something in a policy written as IAM's variables for them."""
    return re.sub(r"[*?$]", lambda found: "${" + found[0] + "}", prefix)
