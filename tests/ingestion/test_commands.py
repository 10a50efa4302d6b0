"""Every command of manage.py: what it does, what it prints, and its exit status."""

import contextlib
import io
import json
import os
import pwd
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ingestion.management.checking import actor
from ingestion.models import Client, ClientConnection, LoadAttempt, SourceFile, StaffAction
from kcx.simulated_aws.policies import trust_policy
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.processes import REPOSITORY, environment

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "progress"]),
    pytest.mark.usefixtures("aws", "raw_database"),
]

GOOD, BAD = "exports/lines/good.csv.gz", "exports/lines/torn.csv.gz"
ROLE = "arn:aws:iam::111122223333:role/kcx-read"
ACME = ("--client", "Acme", "--role-arn", ROLE, "--bucket", "acme-billing")


def told(*arguments: str) -> str:
    """What the command prints; it ends with exit status 0."""
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def told_json(*arguments: str) -> Any:
    return json.loads(told(*arguments, "--json"))


def refusal(*arguments: str) -> tuple[int, str]:
    """The exit status that is not 0, and why."""
    with pytest.raises(CommandError) as caught:
        told(*arguments)
    return caught.value.returncode, str(caught.value)


@pytest.fixture
def delivered(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """A client with a file that can be loaded, and one that cannot."""
    client_under_test.account.put_object(GOOD, csv_gz("a\n1\n2\n"))
    client_under_test.account.put_object(BAD, csv_gz("a\n1\n")[:-9])
    return client_under_test


def number(client: ClientUnderTest) -> str:
    return str(client.connection.pk)


class TestOnboard:
    def test_it_prints_what_the_client_is_sent(self, aws: SimulatedAws) -> None:
        made = told_json("onboard", *ACME, "--prefix", "exports/", "--region", "eu-central-1")
        stored = ClientConnection.objects.get()
        assert made == {
            "connection_id": stored.pk,
            "name": "Acme acme-billing",
            "external_id": stored.external_id,
            "trust_policy": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:aws:iam::{aws.kcx_account_id}:root"},
                        "Action": "sts:AssumeRole",
                        "Condition": {"StringEquals": {"sts:ExternalId": stored.external_id}},
                    }
                ],
            },
            "permission_policy": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "s3:ListBucket",
                        "Resource": "arn:aws:s3:::acme-billing",
                        "Condition": {"StringLike": {"s3:prefix": "exports/*"}},
                    },
                    {
                        "Effect": "Allow",
                        "Action": "s3:GetObject",
                        "Resource": "arn:aws:s3:::acme-billing/exports/*",
                    },
                ],
            },
        }
        assert (stored.client.name, stored.prefix, stored.region) == ("Acme", "exports/", "eu-central-1")

    def test_a_new_connection_is_disabled_and_what_appears_waits(self) -> None:
        told("onboard", *ACME)
        stored = ClientConnection.objects.get()
        assert (stored.enabled, stored.load_new_exports, stored.unverified_reason) == (False, False, "")

    def test_enabling_at_once_records_why(self) -> None:
        told("onboard", *ACME, "--enable", "--unverified", "a trial", "--discover-every", "5")
        stored = ClientConnection.objects.get()
        assert (stored.enabled, stored.load_new_exports, stored.unverified_reason) == (True, True, "a trial")
        assert stored.discover_every.total_seconds() == 300

    def test_enabling_without_a_reason_needs_a_passed_check_right_there(self, settings: Any) -> None:
        settings.KCX_IAM_SECONDS = 0
        status, text = refusal("onboard", *ACME, "--enable")
        stored = ClientConnection.objects.get()
        assert (status, stored.enabled, stored.load_new_exports) == (1, False, True)
        assert f"check_access --connection {stored.pk} --enable" in text
        assert "failed   The role lets KCX in" in text

    def test_who_onboarded_and_enabled_is_recorded(self) -> None:
        told("onboard", *ACME, "--enable", "--unverified", "a trial")
        actions = StaffAction.objects.order_by("id").values_list("action", "reason")
        assert list(actions) == [("onboard", ""), ("enable", "a trial")]

    def test_a_client_gets_as_many_connections_as_it_has_and_each_a_name_of_its_own(self) -> None:
        names = [told_json("onboard", *ACME)["name"] for _ in range(3)]
        assert names == ["Acme acme-billing", "Acme acme-billing 2", "Acme acme-billing 3"]
        assert told_json("onboard", *ACME, "--name", "mine")["name"] == "mine"
        assert Client.objects.count() == 1

    def test_external_ids_are_never_the_same(self) -> None:
        assert len({told_json("onboard", *ACME)["external_id"] for _ in range(3)}) == 3

    def test_without_json_it_is_written_for_people(self) -> None:
        text = told("onboard", *ACME)
        stored = ClientConnection.objects.get()
        assert f"External id: {stored.external_id}" in text
        assert '"Action": "s3:GetObject"' in text

    @pytest.mark.parametrize(
        ("option", "value", "why"),
        [
            ("--role-arn", "arn:aws:iam::1:role/short", "role_arn"),
            ("--role-arn", "arn:aws:iam::111122223333:user/somebody", "role_arn"),
            ("--role-arn", f"{ROLE}\n", "role_arn"),
            ("--bucket", "Acme_Billing", "bucket"),
            ("--bucket", "acme-billing/exports", "bucket"),
            ("--bucket", "acme-billing\n", "bucket"),
            ("--region", "nowhere", "region"),
            ("--bucket-owner", "12", "bucket_owner"),
            ("--kms-key-arn", "alias/mine", "kms_key_arn"),
            ("--name", "42", "name"),
            ("--discover-every", "0", "connection_discover_every"),
            ("--client", "", "client"),
            ("--client", "x" * 201, "client"),
        ],
    )
    def test_a_refused_value_is_named_and_nothing_is_created(self, option: str, value: str, why: str) -> None:
        status, text = refusal("onboard", *ACME, option, value)
        assert status == 2
        assert why in text
        assert not ClientConnection.objects.exists()
        assert not Client.objects.exists()

    def test_a_name_that_is_taken_is_refused(self) -> None:
        told("onboard", *ACME, "--name", "mine")
        assert refusal("onboard", *ACME, "--name", "mine")[0] == 2
        assert ClientConnection.objects.count() == 1

    def test_where_kcx_has_no_account_nothing_is_created(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        status, text = refusal("onboard", *ACME)
        assert status == 2
        assert "KCX_AWS_ACCOUNT_ID" in text
        assert not Client.objects.exists()

    def test_the_account_of_the_settings_needs_no_identity(
        self, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        settings.KCX_AWS_ACCOUNT_ID = "444455556666"
        trust = told_json("onboard", *ACME)["trust_policy"]
        assert trust["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::444455556666:root"}

    def test_a_wildcard_in_a_prefix_is_only_itself(self) -> None:
        policy = told_json("onboard", *ACME, "--prefix", "ex*/p?/$x")["permission_policy"]
        condition, resource = policy["Statement"][0]["Condition"], policy["Statement"][1]["Resource"]
        assert condition == {"StringLike": {"s3:prefix": "ex${*}/p${?}/${$}x*"}}
        assert resource == "arn:aws:s3:::acme-billing/ex${*}/p${?}/${$}x*"
        assert ClientConnection.objects.get().prefix == "ex*/p?/$x"

    def test_in_china_every_arn_is_of_china(self, settings: Any) -> None:
        settings.KCX_AWS_ACCOUNT_ID = "444455556666"  # the account there is another one
        china = ("--role-arn", "arn:aws-cn:iam::111122223333:role/kcx-read", "--region", "cn-north-1")
        made = told_json("onboard", *ACME, *china)
        assert "arn:aws:" not in json.dumps(made)
        assert made["permission_policy"]["Statement"][1]["Resource"] == "arn:aws-cn:s3:::acme-billing/*"

    def test_a_key_of_the_clients_own_is_named_for_decrypt_only(self) -> None:
        key = "arn:aws:kms:us-east-1:111122223333:key/1234"
        statements = told_json("onboard", *ACME, "--kms-key-arn", key)["permission_policy"]["Statement"]
        assert statements[2:] == [{"Effect": "Allow", "Action": "kms:Decrypt", "Resource": key}]


class TestCheckAccess:
    @pytest.fixture(autouse=True)
    def no_patience(self, settings: Any) -> None:
        settings.KCX_IAM_SECONDS = 0

    def test_every_rung_is_printed_and_a_pass_exits_0(self, delivered: ClientUnderTest) -> None:
        delivered.account.delete_object(BAD)
        text = told("check_access")
        assert text.startswith(f"{delivered.connection.name}: Passed\n  passed   KCX's own AWS identity: ")
        assert len(text.splitlines()) == 11

    def test_a_warning_exits_0_and_tells_cause_and_remedy(self, client_under_test: ClientUnderTest) -> None:
        text = told("check_access", "--connection", number(client_under_test))
        assert "The prefix is empty" in text
        assert "Ask the client for the prefix" in text

    def test_a_failure_exits_1_and_names_the_connection(self, delivered: ClientUnderTest) -> None:
        delivered.account.delete_role()
        status, text = refusal("check_access")
        assert status == 1
        assert delivered.connection.name in text

    def test_as_json_it_prints_one_object_a_connection(self, delivered: ClientUnderTest) -> None:
        delivered.account.delete_object(BAD)
        (found,) = told_json("check_access")
        assert (found["connection_id"], found["outcome"]) == (delivered.connection.pk, "PASSED")
        assert [rung["verdict"] for rung in found["rungs"]] == ["passed"] * 10

    def test_no_such_connection_exits_2(self) -> None:
        assert refusal("check_access", "--connection", "nobody")[0] == 2
        assert refusal("check_access", "--enable")[0] == 2

    def test_a_disabled_connection_is_checked_and_enabled_where_that_is_asked(
        self, delivered: ClientUnderTest
    ) -> None:
        ClientConnection.objects.update(enabled=False, unverified_reason="")
        told("check_access", "--connection", number(delivered))
        assert not ClientConnection.objects.get().enabled
        told("check_access", "--connection", number(delivered), "--enable")
        assert ClientConnection.objects.get().enabled
        assert StaffAction.objects.filter(action="enable").latest("id").detail == {"verified": True}

    def test_an_unsafe_role_is_not_enabled_even_with_a_reason_before(
        self, delivered: ClientUnderTest
    ) -> None:
        ClientConnection.objects.update(enabled=False)
        delivered.account.set_trust(trust_policy("arn:aws:iam::999900001111:root", None))
        assert refusal("check_access", "--connection", number(delivered), "--enable")[0] == 1
        assert not ClientConnection.objects.get().enabled


class TestDiscover:
    def test_it_registers_what_is_new_and_loads_nothing(self, delivered: ClientUnderTest) -> None:
        (run,) = told_json("discover", "--connection", number(delivered))
        assert {name: run[name] for name in ("outcome", "listed", "registered", "counts", "error_code")} == {
            "outcome": "SUCCEEDED",
            "listed": 2,
            "registered": 2,
            "counts": {"data": 2},
            "error_code": "",
        }
        assert run["connection_id"] == delivered.connection.pk
        assert set(SourceFile.objects.values_list("status", flat=True)) == {"NEW"}
        assert not LoadAttempt.objects.exists()

    def test_a_connection_is_meant_by_its_id_or_its_name(self, delivered: ClientUnderTest) -> None:
        for name in (number(delivered), delivered.connection.name):
            assert told("discover", "--connection", name).startswith(
                f"{delivered.connection.name}: 2 objects listed"
            )

    def test_without_a_connection_every_enabled_one_is_listed(self, aws: SimulatedAws) -> None:
        enabled, disabled, sleeping = new_client(aws), new_client(aws, enable=False), new_client(aws)
        Client.objects.filter(pk=sleeping.connection.client_id).update(enabled=False)
        runs = told_json("discover")
        assert [run["connection_id"] for run in runs] == [enabled.connection.pk]
        for one in (disabled, sleeping):
            status, text = refusal("discover", "--connection", number(one))
            assert (status, "disabled" in text) == (2, True)

    def test_a_listing_that_fails_is_told_with_the_next_step_and_the_others_go_on(
        self, aws: SimulatedAws
    ) -> None:
        broken, fine = new_client(aws), new_client(aws)
        broken.account.delete_role()
        out = io.StringIO()
        with pytest.raises(CommandError) as caught:
            call_command("discover", stdout=out)
        assert caught.value.returncode == 1
        assert f"{broken.connection.name}: failed (assume_role_denied)" in out.getvalue()
        assert "trust policy" in out.getvalue()
        assert f"{fine.connection.name}: 0 objects listed" in out.getvalue()


class TestIngest:
    def test_one_bad_file_makes_the_status_1_and_the_others_are_loaded(
        self, delivered: ClientUnderTest
    ) -> None:
        out = io.StringIO()
        with pytest.raises(CommandError) as caught:
            call_command("ingest", stdout=out)
        assert caught.value.returncode == 1
        assert "1 files ingested, 2 rows; 1 failed." in out.getvalue()
        assert f"failed    {BAD}  corrupt_gzip: " in out.getvalue()
        assert delivered.rows(GOOD) == [["1"], ["2"]]
        assert delivered.file(BAD).status == "FAILED"

    def test_json_tells_what_came_of_each_file(self, delivered: ClientUnderTest) -> None:
        out = io.StringIO()
        with pytest.raises(CommandError):
            call_command("ingest", "--json", stdout=out)
        outcomes = {outcome.pop("key"): outcome for outcome in json.loads(out.getvalue())}
        good, bad = delivered.file(GOOD), delivered.file(BAD)
        assert outcomes == {
            GOOD: {"file_id": good.pk, "outcome": "ingested", "rows": 2, "error_code": "", "error": ""},
            BAD: {
                "file_id": bad.pk,
                "outcome": "failed",
                "rows": 0,
                "error_code": "corrupt_gzip",
                "error": bad.error_message,
            },
        }

    def test_a_second_run_has_nothing_to_do(self, client_under_test: ClientUnderTest) -> None:
        client_under_test.account.put_object(GOOD, csv_gz("a\n1\n"))
        told("ingest", "--connection", client_under_test.connection.name)
        assert "0 files ingested, 0 rows; 0 failed." in told("ingest")
        assert LoadAttempt.objects.count() == 1

    def test_a_listing_that_fails_makes_the_status_1(self, client_under_test: ClientUnderTest) -> None:
        client_under_test.account.delete_role()
        assert refusal("ingest") == (1, "Not everything was ingested.")

    def test_one_file_is_loaded_without_a_listing(self, delivered: ClientUnderTest) -> None:
        delivered.discover()
        delivered.account.put_object("exports/lines/later.csv.gz", csv_gz("a\n3\n"))
        (outcome,) = told_json("ingest", "--file", str(delivered.file(GOOD).pk))
        assert (outcome["outcome"], outcome["rows"]) == ("ingested", 2)
        assert SourceFile.objects.count() == 2
        assert refusal("ingest", "--file", str(delivered.file(BAD).pk))[0] == 1

    def test_a_file_that_is_ingested_is_left_alone(self, delivered: ClientUnderTest) -> None:
        delivered.ingest()
        (outcome,) = told_json("ingest", "--file", str(delivered.file(GOOD).pk))
        assert outcome["outcome"].startswith("left alone")

    def test_a_file_and_a_connection_cannot_both_be_meant(self, delivered: ClientUnderTest) -> None:
        assert refusal("ingest", "--file", "1", "--connection", number(delivered))[0] == 2


class TestRetry:
    def test_failed_files_are_loaded_again(self, delivered: ClientUnderTest) -> None:
        delivered.ingest()
        bad = delivered.file(BAD)
        assert refusal("retry")[0] == 1, "it is as broken as before"
        # The same version, readable now: as when the client has mended a key policy.
        delivered.account.put_object(BAD, csv_gz("a\n1\n"), etag=bad.etag.strip('"'))
        SourceFile.objects.filter(pk=bad.pk).update(size=len(csv_gz("a\n1\n")))
        (outcome,) = told_json("retry", "--connection", number(delivered))
        assert (outcome["file_id"], outcome["outcome"]) == (bad.pk, "ingested")
        assert delivered.file(BAD).error_code == ""
        assert "0 files ingested, 0 rows; 0 failed." in told("retry")
        assert delivered.file(GOOD).attempts.count() == 1


class TestReprocess:
    def test_one_files_rows_are_replaced(self, delivered: ClientUnderTest) -> None:
        delivered.ingest()
        good = delivered.file(GOOD)
        (outcome,) = told_json("reprocess", "--file", str(good.pk))
        assert outcome["outcome"] == "ingested"
        assert delivered.rows(GOOD) == [["1"], ["2"]]
        assert list(good.attempts.order_by("id").values_list("is_reload", flat=True)) == [False, True]

    def test_a_reload_that_fails_keeps_the_rows_and_makes_the_status_1(
        self, delivered: ClientUnderTest
    ) -> None:
        delivered.ingest()
        delivered.account.delete_role()
        assert refusal("reprocess", "--file", str(delivered.file(GOOD).pk))[0] == 1
        assert delivered.file(GOOD).status == "INGESTED"
        assert delivered.rows(GOOD) == [["1"], ["2"]]

    def test_a_period_of_a_connection_is_reprocessed_and_no_other(
        self, client_under_test: ClientUnderTest
    ) -> None:
        client_under_test.account.put_object("exports/lines/m.csv.gz", csv_gz("a\n1\n"))
        client_under_test.account.put_object("exports/lines/a.csv.gz", csv_gz("a\n1\n"))
        client_under_test.ingest()
        SourceFile.objects.filter(key__contains="/m.").update(
            billing_period_start="2026-03-01", billing_period_end="2026-04-01"
        )
        by_period = told_json("reprocess", "--connection", number(client_under_test), "--period", "2026-03")
        assert [outcome["key"] for outcome in by_period] == ["exports/lines/m.csv.gz"]
        assert len(told_json("reprocess", "--connection", number(client_under_test))) == 2
        empty = told_json("reprocess", "--connection", number(client_under_test), "--period", "2026-04")
        assert empty == []

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("--file", "1", "--connection", "1"),
            ("--file", "1", "--period", "2026-03"),
            ("--period", "2026-03"),
        ],
    )
    def test_what_is_meant_must_be_clear(self, arguments: tuple[str, ...]) -> None:
        assert refusal("reprocess", *arguments)[0] == 2

    def test_a_skipped_file_cannot_be_reprocessed(self, client_under_test: ClientUnderTest) -> None:
        client_under_test.account.put_object("exports/notes.txt", b"hello")
        client_under_test.discover()
        file = client_under_test.file("exports/notes.txt")
        assert refusal("reprocess", "--file", str(file.pk))[0] == 2


class TestStatus:
    def test_every_connection_is_told_in_figures(self, delivered: ClientUnderTest, aws: SimulatedAws) -> None:
        delivered.account.put_object("exports/notes.txt", b"hello")
        delivered.ingest()
        delivered.account.put_object("exports/lines/new.csv.gz", csv_gz("a\n3\n"))
        delivered.discover()
        disabled = new_client(aws, enable=False).connection
        delivered.connection.refresh_from_db()

        first, second = told_json("status")

        ingested_at = delivered.file(GOOD).ingested_at
        assert ingested_at is not None
        assert delivered.connection.last_discovered_at is not None
        assert first == {
            "connection_id": delivered.connection.pk,
            "name": delivered.connection.name,
            "enabled": True,
            "files": {"new": 1, "ingested": 1, "failed": 1, "skipped": 1},
            "rows": 2,
            "last_discovered_at": iso(delivered.connection.last_discovered_at),
            "last_ingested_at": iso(ingested_at),
        }
        assert second == {
            "connection_id": disabled.pk,
            "name": disabled.name,
            "enabled": False,
            "files": {"new": 0, "ingested": 0, "failed": 0, "skipped": 0},
            "rows": 0,
            "last_discovered_at": None,
            "last_ingested_at": None,
        }

    def test_a_connection_of_a_disabled_client_counts_as_disabled(self, delivered: ClientUnderTest) -> None:
        Client.objects.update(enabled=False)
        assert told_json("status")[0]["enabled"] is False

    def test_without_json_it_is_a_table(self, delivered: ClientUnderTest) -> None:
        delivered.ingest()
        line = next(line for line in told("status").splitlines() if delivered.connection.name in line)
        assert [cell.strip() for cell in line.strip("│").split("│")][:8] == [
            number(delivered),
            delivered.connection.name,
            "yes",
            "0",
            "1",
            "1",
            "0",
            "2",
        ]

    def test_it_works_where_nothing_is_onboarded_yet(self) -> None:
        assert told_json("status") == []


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ("discover", "discover"),
        ("ingest", "discover"),
        ("check_access", "check access"),
        ("retry", "retry"),
        ("reprocess", "reprocess"),
    ],
)
def test_what_is_done_in_the_shell_is_recorded_with_who_did_it(
    delivered: ClientUnderTest, command: str, action: str
) -> None:
    delivered.ingest()
    delivered.account.put_object(BAD, csv_gz("a\n1\n"))
    before = StaffAction.objects.latest("pk").pk
    with contextlib.suppress(CommandError):
        call_command(command, "--connection", number(delivered), stdout=io.StringIO())
    found = StaffAction.objects.filter(pk__gt=before)
    assert set(found.values_list("action", "actor", "connection")) == {
        (action, actor(), delivered.connection.pk)
    }


@pytest.mark.parametrize("command", ["discover", "ingest", "retry", "reprocess"])
def test_an_unknown_connection_is_status_2(command: str) -> None:
    for name in ("nobody", "999999", "99999999999999999999999", "", "٣"):
        status, text = refusal(command, "--connection", name)
        assert status == 2
        assert repr(name) in text


@pytest.mark.parametrize("command", ["ingest", "reprocess"])
def test_an_unknown_file_is_status_2(command: str) -> None:
    for file in ("999999", "99999999999999999999999"):
        assert refusal(command, "--file", file) == (2, f"There is no file {file}.")


@pytest.mark.parametrize("command", ["ingest", "reprocess"])
def test_a_file_of_a_disabled_client_is_left_alone(delivered: ClientUnderTest, command: str) -> None:
    delivered.discover()
    Client.objects.update(enabled=False)
    assert refusal(command, "--file", str(delivered.file(GOOD).pk))[0] == 2
    assert not LoadAttempt.objects.exists()


@pytest.mark.parametrize(
    "command", ["onboard", "check_access", "discover", "ingest", "retry", "reprocess", "status", "export"]
)
def test_help_tells_what_the_exit_status_means(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        call_command(command, "--help")
    assert "Exit status: 0" in " ".join(capsys.readouterr().out.split())


def test_the_exit_status_is_the_processs_own(client_under_test: ClientUnderTest) -> None:
    assert manage("status", "--json").returncode == 0
    unknown = manage("ingest", "--connection", "nobody")
    assert (unknown.returncode, unknown.stderr.strip()) == (
        2,
        "CommandError: There is no connection 'nobody'.",
    )
    assert manage("reprocess", "--connection", "1", "--period", "March").returncode == 2
    client_under_test.account.delete_role()
    assert manage("discover").returncode == 1


def manage(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=False
    )


def iso(moment: Any) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_who_is_at_the_shell_is_whom_the_system_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    known = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setenv("LOGNAME", "somebody.else")
    assert actor() == known
    monkeypatch.setenv("SUDO_USER", "a.person")
    assert actor() == f"a.person as {known}"
