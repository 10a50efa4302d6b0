"""One text for the client, and the role it speaks of."""

import json
from dataclasses import dataclass

from ingestion.policies import Policy

POLICY_NAME = "kcx-read"


@dataclass(frozen=True, slots=True)
class Artefact:
    """One text to copy or download. `name` is stable; `filename` is safe in a header."""

    name: str
    title: str
    filename: str
    content_type: str
    text: str


@dataclass(frozen=True, slots=True)
class Grant:
    """All that the texts say. `bucket` and the role's name and path are plain; `prefix` may be anything."""

    connection_id: int
    partition: str
    region: str
    bucket: str
    prefix: str
    kms_key_arn: str
    external_id: str
    kcx_account_id: str
    role_name: str
    role_path: str
    trust: Policy
    permission: Policy


def role_of(role_arn: str, connection_id: int) -> tuple[str, str]:
    """The path (`/` or `/one/two/`) and the name of a role; KCX's proposal where the client sent none yet.

    The proposal is the connection's alone: made for a second one in the same account, a role of the same name
    would take the first one's place. It is numbered as CloudTrail shows the connection's sessions.
    """
    *folders, name = role_arn.partition(":role/")[2].split("/")
    return "/" + "".join(f"{folder}/" for folder in folders), name or f"kcx-read-c{connection_id}"


def as_json(policy: Policy) -> str:
    """Indented JSON in ASCII: IAM refuses most other characters, and takes their escapes."""
    return json.dumps(policy, indent=2)
