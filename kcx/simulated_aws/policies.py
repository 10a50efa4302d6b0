"""The policy documents of the simulation: who may assume a role, and what the role may read."""

from typing import Any, TypedDict


class PolicyDocument(TypedDict):
    """An IAM policy document, as AWS writes it in JSON."""

    Version: str
    Statement: list[dict[str, Any]]


def policy(*statements: dict[str, Any]) -> PolicyDocument:
    """A policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust_policy(
    principal: str, external_id: str | None, *, operator: str = "StringEquals"
) -> PolicyDocument:
    """A role's trust in `principal` (an ARN or an account id); an `external_id` of None asks for none."""
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
    }
    if external_id is not None:
        statement["Condition"] = {operator: {"sts:ExternalId": external_id}}
    return policy(statement)


def read_policy(bucket: str, prefix: str, *, partition: str = "aws") -> PolicyDocument:
    """The two actions KCX needs: list the bucket, and read what is under the prefix."""
    bucket_arn = f"arn:{partition}:s3:::{bucket}"
    return policy(
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket_arn},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{bucket_arn}/{prefix}*"},
    )


def assume_any_role_policy() -> PolicyDocument:
    """What KCX's own identity may do: ask to assume a role, and nothing else."""
    return policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
