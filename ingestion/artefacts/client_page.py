"""The page for the client: what KCX can and cannot do, how to see it, how to revoke it."""

import json
import re

from ingestion.artefacts.artefact import POLICY_NAME, Grant, as_json

PAGE = """\
# KCX and your billing exports

KCX reads the billing exports in one place of yours, and only there:

{place}

It does so through a role in your account. You own the role, and you can revoke it at any moment.

## What you create

One IAM role with two policies. The CloudFormation template, the Terraform file and the AWS CLI lines that
come with this page each make the same role: use one of them, then send KCX the role's ARN.

The template gives the role its name, for which CloudFormation asks you to acknowledge `CAPABILITY_NAMED_IAM`:
`aws cloudformation deploy --stack-name {role} --template-file kcx-c{connection}-cloudformation.json \
--capabilities CAPABILITY_NAMED_IAM`.

The **trust policy** lets KCX's account ({account}) assume the role, only with your external id. KCX made
the id for this connection alone and never changes it:

{trust}

The **permission policy** allows {allowed}:

{permission}

If a policy of the bucket denies access to others, it must let this role through. If another account owns
the bucket, its policy must allow the role these actions, too.

## What KCX can do

- List the names, sizes and dates of the objects under the place above.
- Read those objects.
{can_decrypt}
## What KCX cannot do

- Write, change, copy, delete or restore anything.
- List or read anything else in your account.
- Get in without the external id: KCX tests that, and disables a connection whose role lets it in.
- Keep a way in: it stores no AWS secret. Its credentials live for an hour at most, in memory, and are
  narrowed to these actions even if the role allows more. One short session of an access check is not:
  it looks, by trying to list, whether the role allows more than it should.

## How to change the role later

If KCX asks you to replace one of its policies, put the text it sends you in place of the old one:

- trust policy: `aws iam update-assume-role-policy --role-name {role} \
--policy-document file://kcx-c{connection}-trust-policy.json`
- permission policy: `aws iam put-role-policy --role-name {role} --policy-name {policy} \
--policy-document file://kcx-c{connection}-permission-policy.json`

A policy of another name stays beside it: take every other policy off the role.

## How to see what KCX did

In CloudTrail, look for `AssumeRole` events of the role `{role}`. Their session names begin with
`kcx-c{connection}-`; the rest tells what it was for: `d` and a number for a listing, `a` for the load of a
file, `p` for a check before a delivery is published, `o` for an older delivery that was asked for, `v` and
`r` for comparing a loaded file, or one row of it, with yours again, `c` for a check of the access itself. A
check also makes two calls with a missing and a wrong external id. They must be refused, and CloudTrail may
show them as errors; and it looks, by reading only, whether the role allows more than it should. To see
single reads, turn on data events for the bucket.

## How to revoke it

Delete the role, or take KCX out of its trust policy. To end sessions that are open at that moment, choose
"Revoke active sessions" on the role in the IAM console. KCX then shows the connection as refused. It
reads nothing more, and goes on asking to be let in until its staff disable the connection. Rows that were
loaded stay with KCX until you ask for their removal.{key_policy}"""

KEY_POLICY = """

## Your key

The objects are encrypted with a key of yours, `{key}`. The key's own policy must allow the role
`kms:Decrypt`, or leave that to IAM."""


def client_page(grant: Grant) -> str:
    """Markdown, with every value in code that nothing inside it can end."""
    key = grant.kms_key_arn
    actions = "listing the place, reading what is in it"
    return PAGE.format(
        place=_code(f"s3://{grant.bucket}/{_visible(grant.prefix)}"),
        account=grant.kcx_account_id,
        trust=_code(as_json(grant.trust)),
        allowed=f"{actions}, and decrypting with one key" if key else f"{actions}, and no more",
        permission=_code(as_json(grant.permission)),
        can_decrypt=f"- Decrypt with the key `{key}` what it reads.\n" if key else "",
        role=grant.role_name,
        policy=POLICY_NAME,
        connection=grant.connection_id,
        key_policy=KEY_POLICY.format(key=key) if key else "",
    )


def _code(text: str) -> str:
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}\n{text}\n{fence}"


def _visible(prefix: str) -> str:
    """`prefix` with what cannot be seen, or would end the line, as JSON escapes it."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in prefix)
