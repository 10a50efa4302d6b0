"""What the client is sent: each text says exactly the two policies, whatever the prefix holds."""

import io
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest

from ingestion.access_errors import AccountUnknown
from ingestion.artefacts import Artefact, artefacts
from ingestion.models import Client, ClientConnection
from ingestion.policies import permission_policy, trust_policy

KCX = "999900001111"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/12ab-34cd"
REGIONS = {"aws": "eu-central-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
PREFIXES = [
    "",
    "exports/",
    'it\'s "mine"/',
    "$HOME/$(reboot)/`id`/",
    "a*b?c/${aws:username}/",
    "${*}/%{if true}/%%{for}/$${x}/",
    "${data.aws_caller.x}\\n\\",
    " spaces and\ttabs /",
    "line\nbreak\nKCX_POLICY\n/",
    "```\n</script><b>\r\n",
    "ünïcödé/\U0001f600/\x08\x0c/",
]


@pytest.fixture(autouse=True)
def kcx_account(settings: Any) -> None:
    settings.KCX_AWS_ACCOUNT_ID = KCX


def a_connection(prefix: str = "exports/", partition: str = "aws", **fields: Any) -> ClientConnection:
    """One that is not saved: the texts need nothing of the database."""
    values = {
        "pk": 7,
        "client": Client(name="Acme"),
        "name": "acme",
        "bucket": "acme-billing",
        "prefix": prefix,
        "region": REGIONS[partition],
        "role_arn": f"arn:{partition}:iam::111122223333:role/finops/kcx",
    }
    return ClientConnection(**(values | fields))


def texts(connection: ClientConnection) -> dict[str, str]:
    return {one.name: one.text for one in artefacts(connection)}


def policies(connection: ClientConnection) -> tuple[Any, Any]:
    """What every text must say, from the two functions that the pipeline's own session is made with."""
    partition = connection.partition
    return (
        trust_policy(partition, KCX, connection.external_id),
        permission_policy(partition, connection.bucket, connection.prefix, connection.kms_key_arn),
    )


CASES = [
    *[pytest.param(a_connection(prefix), id=f"prefix {prefix!r}") for prefix in PREFIXES],
    *[pytest.param(a_connection(partition=partition), id=partition) for partition in REGIONS],
    pytest.param(a_connection(kms_key_arn=KEY), id="a key"),
    pytest.param(a_connection(role_arn=""), id="no role yet"),
]
every_case = pytest.mark.parametrize("connection", CASES)


def test_they_come_in_this_order_and_under_these_names() -> None:
    made = artefacts(a_connection())
    assert all(isinstance(one, Artefact) for one in made)
    assert [(one.name, one.filename) for one in made] == [
        ("trust-policy", "kcx-c7-trust-policy.json"),
        ("permission-policy", "kcx-c7-permission-policy.json"),
        ("cloudformation", "kcx-c7-cloudformation.json"),
        ("terraform", "kcx-c7-terraform.tf"),
        ("aws-cli", "kcx-c7-aws-cli.sh"),
        ("client-page", "kcx-c7-client-page.md"),
    ]


@every_case
def test_the_policies_are_json_in_ascii(connection: ClientConnection) -> None:
    made = texts(connection)
    trust, permission = policies(connection)
    assert json.loads(made["trust-policy"]) == trust
    assert json.loads(made["permission-policy"]) == permission
    assert (made["trust-policy"] + made["permission-policy"]).isascii()


def cfn_lint(template: str, region: str) -> set[str]:
    """The rules that the template breaks."""
    from cfnlint.api import lint  # noqa: PLC0415  # takes seconds to load, in every process of the tests
    from cfnlint.config import ManualArgs  # noqa: PLC0415

    return {match.rule.id for match in lint(template, config=ManualArgs(regions=[region]))}


@every_case
def test_the_template_passes_cfn_lint_and_makes_exactly_this_role(connection: ClientConnection) -> None:
    text = texts(connection)["cloudformation"]
    # cfn-lint's pattern of an ARN ends at a line's end; S3 takes such a prefix all the same.
    accepted = {"E3510"} if "\n" in connection.prefix else set()
    assert cfn_lint(text, connection.region) == accepted
    role = json.loads(text)["Resources"]["KcxRead"]["Properties"]
    trust, permission = policies(connection)
    assert role["AssumeRolePolicyDocument"] == trust
    assert [one["PolicyDocument"] for one in role["Policies"]] == [permission]
    assert "Fn::Sub" not in text, "which would read IAM's ${*} as its own"
    assert (role["Path"], role["RoleName"]) == expected_role(connection)


def test_cfn_lint_finds_what_is_wrong_with_a_template() -> None:
    broken = texts(a_connection())["cloudformation"].replace("AssumeRolePolicyDocument", "Trust")
    assert cfn_lint(broken, "eu-central-1") != set()


@every_case
def test_terraform_reads_exactly_the_policies(connection: ClientConnection) -> None:
    resources = hcl2.load(io.StringIO(texts(connection)["terraform"]))["resource"]
    role, policy = (next(iter(next(iter(one.values())).values())) for one in resources)
    trust, permission = policies(connection)
    assert json.loads(heredoc(role["assume_role_policy"])) == trust
    assert json.loads(heredoc(policy["policy"])) == permission
    path, name = expected_role(connection)
    assert (role["path"].strip('"'), role["name"].strip('"')) == (path, name)


@every_case
def test_a_shell_hands_the_cli_exactly_the_policies(connection: ClientConnection, tmp_path: Path) -> None:
    create, put, get = calls_by_a_shell(texts(connection)["aws-cli"], tmp_path)
    trust, permission = policies(connection)
    path, name = expected_role(connection)
    assert create[:6] == ["iam", "create-role", "--role-name", name, "--path", path]
    assert create[6] == "--assume-role-policy-document"
    assert json.loads(create[7]) == trust
    assert put[:6] == ["iam", "put-role-policy", "--role-name", name, "--policy-name", "kcx-read"]
    assert json.loads(put[7]) == permission
    assert get[:4] == ["iam", "get-role", "--role-name", name]


@pytest.mark.parametrize("fails", ["create-role", "put-role-policy"])
def test_no_line_is_run_after_one_that_failed(fails: str, tmp_path: Path) -> None:
    fake, seen = tmp_path / "aws", tmp_path / "seen"
    fake.write_text(f'#!/bin/sh\necho "$2" >> {shlex.quote(str(seen))}\n[ "$2" != {fails} ]\n')
    fake.chmod(0o755)
    script = texts(a_connection())["aws-cli"]
    done = subprocess.run(["sh", "-c", script], check=False, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert done.returncode != 0
    assert seen.read_text().split()[-1] == fails


def test_two_connections_of_one_account_never_make_the_same_role() -> None:
    first, second = (texts(a_connection(role_arn="", pk=number)) for number in (7, 8))
    for name in ("cloudformation", "aws-cli", "client-page"):
        assert "kcx-read-c7" in first[name]
        assert "kcx-read-c7" not in second[name]
    labels = [re.findall(r'^(?:resource|output) .*"(.*)"', one["terraform"], re.M) for one in (first, second)]
    assert len(labels[0]) == len(labels[1]) == 3
    assert not set(labels[0]) & set(labels[1]), "both may stand in one module"


@every_case
def test_the_page_holds_both_policies_and_no_value_gets_out_of_its_code(connection: ClientConnection) -> None:
    place, trust, permission = code_blocks(texts(connection)["client-page"])
    assert [json.loads(text) for text in (trust, permission)] == list(policies(connection))
    assert place.startswith("s3://acme-billing/")
    assert "\n" not in place


@pytest.mark.parametrize(
    "words",
    [
        "--stack-name kcx --template-file kcx-c7-cloudformation.json --capabilities CAPABILITY_NAMED_IAM`",
        "`aws iam update-assume-role-policy --role-name kcx --policy-document file://kcx-c7-trust-policy.json`",
        "--policy-name kcx-read --policy-document file://kcx-c7-permission-policy.json`",
        "until its staff disable the connection",
    ],
)
def test_the_page_says_how_to_make_and_change_the_role(words: str) -> None:
    assert words in " ".join(texts(a_connection())["client-page"].split())


@pytest.mark.parametrize(
    "words",
    ["kcx-c7-", "CloudTrail", "How to revoke it", "Delete the role", KCX, "cannot do", "external id"],
)
def test_the_page_says_how_to_see_kcx_and_how_to_end_it(words: str) -> None:
    assert words in texts(a_connection())["client-page"]


@pytest.mark.parametrize(
    "name", ["permission-policy", "cloudformation", "terraform", "aws-cli", "client-page"]
)
def test_decrypt_is_asked_for_on_the_one_key_and_only_where_there_is_one(name: str) -> None:
    assert KEY in texts(a_connection(kms_key_arn=KEY))[name]
    assert "kms:Decrypt" in texts(a_connection(kms_key_arn=KEY))[name]
    assert "kms" not in texts(a_connection())[name].lower()


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_another_partition_has_no_arn_of_the_common_one(partition: str) -> None:
    made = texts(a_connection(partition=partition))
    assert "arn:aws:" not in "".join(made.values())
    assert f"arn:{partition}:s3:::acme-billing" in made["terraform"]


@pytest.mark.usefixtures("db")
def test_without_an_account_of_its_own_kcx_says_so(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.KCX_AWS_ACCOUNT_ID = ""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(AccountUnknown, match="KCX's own AWS account") as raised:
        artefacts(a_connection())
    assert "KCX_AWS_ACCOUNT_ID" in raised.value.next_action


def expected_role(connection: ClientConnection) -> tuple[str, str]:
    return ("/finops/", "kcx") if connection.role_arn else ("/", "kcx-read-c7")


def heredoc(text: str) -> str:
    """What Terraform makes of a heredoc: `$${` is `${`; anything else that looks like a template is one."""
    inside = re.fullmatch(r'"?<<KCX_POLICY\n(.*)\nKCX_POLICY"?\n?', text, re.DOTALL)
    assert inside, text
    assert not re.search(r"(?<!\$)\$\{|%\{", inside[1]), "that would be a template"
    return inside[1].replace("$${", "${")


def calls_by_a_shell(script: str, folder: Path) -> list[list[str]]:
    """The arguments of each call of `aws` when sh runs the script."""
    fake, seen = folder / "aws", folder / "seen"
    fake.write_text(
        f'#!/bin/sh\nfor one in "$@"; do printf "%s\\0" "$one"; done >> {shlex.quote(str(seen))}\n'
        f'printf "\\1\\0" >> {shlex.quote(str(seen))}\n'
    )
    fake.chmod(0o755)
    subprocess.run(["sh", "-c", script], check=True, env={"PATH": f"{folder}:/usr/bin:/bin"})
    calls = seen.read_text().split("\1\0")[:-1]
    return [call.split("\0")[:-1] for call in calls]


def code_blocks(page: str) -> list[str]:
    """The fenced blocks, as CommonMark reads them: a block ends at a fence at least as long as its own."""
    blocks: list[str] = []
    fence, lines = "", []
    for line in page.split("\n"):
        if not fence and line.startswith("```"):
            fence, lines = line, []
        elif fence and re.fullmatch("`+", line) and len(line) >= len(fence):
            blocks.append("\n".join(lines))
            fence = ""
        else:
            lines.append(line)
    assert not fence
    return blocks
