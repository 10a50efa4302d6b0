"""The role as lines for a POSIX shell."""

import json
import shlex

from ingestion.artefacts.artefact import POLICY_NAME, Grant


def aws_cli(grant: Grant) -> str:
    """Lines that make the role, give it its policy and print its ARN; none is run after one that failed.

    Where the role is there already, its policy stays.
    """
    role = ["--role-name", grant.role_name]
    trust = ["--assume-role-policy-document", json.dumps(grant.trust)]
    lines = [
        ["aws", "iam", "create-role", *role, "--path", grant.role_path, *trust],
        [
            *("aws", "iam", "put-role-policy", *role, "--policy-name", POLICY_NAME),
            *("--policy-document", json.dumps(grant.permission)),
        ],
        ["aws", "iam", "get-role", *role, "--query", "Role.Arn", "--output", "text"],
    ]
    return " &&\n".join(shlex.join(line) for line in lines)
