"""A connection -> every text for its client."""

from ingestion.artefacts.artefact import Artefact, Grant, as_json, role_of
from ingestion.artefacts.aws_cli import aws_cli
from ingestion.artefacts.client_page import client_page
from ingestion.artefacts.cloudformation import cloudformation
from ingestion.artefacts.terraform import terraform
from ingestion.models import ClientConnection
from ingestion.onboarding import policies_of
from ingestion.own_account import kcx_account_id


def artefacts(connection: ClientConnection) -> list[Artefact]:
    """The texts, in the order they are shown. Raises AccountUnknown."""
    grant = _grant(connection)
    texts = [
        ("trust-policy", "Trust policy", "json", "application/json", as_json(grant.trust)),
        ("permission-policy", "Permission policy", "json", "application/json", as_json(grant.permission)),
        ("cloudformation", "CloudFormation template", "json", "application/json", cloudformation(grant)),
        ("terraform", "Terraform", "tf", "text/plain", terraform(grant)),
        ("aws-cli", "AWS CLI", "sh", "text/x-shellscript", aws_cli(grant)),
        ("client-page", "Page for the client", "md", "text/markdown", client_page(grant)),
    ]
    return [
        Artefact(name, title, f"kcx-c{grant.connection_id}-{name}.{ending}", content_type, text + "\n")
        for name, title, ending, content_type, text in texts
    ]


def _grant(connection: ClientConnection) -> Grant:
    trust, permission = policies_of(connection)
    role_path, role_name = role_of(connection.role_arn, connection.pk)
    return Grant(
        connection_id=connection.pk,
        partition=connection.partition,
        region=connection.region,
        bucket=connection.bucket,
        prefix=connection.prefix,
        kms_key_arn=connection.kms_key_arn,
        external_id=connection.external_id,
        kcx_account_id=kcx_account_id(connection.region),
        role_name=role_name,
        role_path=role_path,
        trust=trust,
        permission=permission,
    )
