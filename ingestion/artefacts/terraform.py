"""The role as Terraform."""

from ingestion.artefacts.artefact import POLICY_NAME, Grant, as_json
from ingestion.policies import Policy

TEMPLATE = """\
resource "aws_iam_role" "kcx_read_c{connection}" {{
  name               = "{name}"
  path               = "{path}"
  assume_role_policy = <<KCX_POLICY
{trust}
KCX_POLICY
}}

resource "aws_iam_role_policy" "kcx_read_c{connection}" {{
  name   = "{policy_name}"
  role   = aws_iam_role.kcx_read_c{connection}.id
  policy = <<KCX_POLICY
{permission}
KCX_POLICY
}}

output "kcx_role_arn_c{connection}" {{
  description = "Send this to KCX."
  value       = aws_iam_role.kcx_read_c{connection}.arn
}}"""


def terraform(grant: Grant) -> str:
    """One role with its policy, and its ARN as an output; their labels are the connection's alone."""
    return TEMPLATE.format(
        connection=grant.connection_id,
        name=grant.role_name,
        path=grant.role_path,
        policy_name=POLICY_NAME,
        trust=_heredoc(grant.trust),
        permission=_heredoc(grant.permission),
    )


def _heredoc(policy: Policy) -> str:
    """A policy's JSON as a heredoc's text: there a backslash is itself, and `${` and `%{` begin a template.

    The percent sign is written by its JSON escape: Terraform's own, `%%{`, is ambiguous after another `%`.
    """
    return as_json(policy).replace("%{", r"\u0025{").replace("${", "$${")
