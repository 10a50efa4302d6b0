"""Access checks as they run, what they say of a connection, and what may be enabled by them."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone
from django_q.models import OrmQ

from ingestion import queueing, tasks
from ingestion.access.check import LOCK_CLASS, close_dead_checks, run_access_check
from ingestion.access.enabling import disable, enable
from ingestion.access.state import access_state
from ingestion.models import AccessCheck, ClientConnection, Event, SourceFile, StaffAction
from ingestion.onboarding import policies_of
from ingestion.queueing import queue_access_check, queue_due_access_checks
from kcx.simulated_aws.policies import policy, trust_policy
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, new_client
from tests.faulty_s3 import FaultyAws, answering, untouched
from tests.ingestion.access.conftest import DATA
from tests.ingestion.registered import an_export, failed
from tests.refusing_s3 import refusing

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

ROOT = "arn:aws:iam::999900001111:root"


def checked(client: ClientUnderTest) -> AccessCheck:
    check = run_access_check(client.connection.pk, "a test")
    assert check is not None
    client.connection.refresh_from_db()
    return check


def verdict(client: ClientUnderTest) -> str:
    return access_state(ClientConnection.objects.get(pk=client.connection.pk)).verdict


def ask_for_no_external_id(client: ClientUnderTest) -> None:
    client.account.set_trust(trust_policy(ROOT, None))


def refuse_kcx(client: ClientUnderTest) -> None:
    client.account.set_trust(trust_policy(ROOT, "another"))


def let_kcx_in(client: ClientUnderTest) -> None:
    client.account.set_trust(trust_policy(ROOT, client.connection.external_id))


def lost_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if (record.name, record.levelno) == ("ingestion.access", logging.ERROR)
    ]


class TestTheRun:
    def test_it_keeps_every_rung_and_who_asked(self, delivered: ClientUnderTest) -> None:
        check = AccessCheck.objects.get(pk=checked(delivered).pk)
        assert (check.outcome, check.actor, len(check.rungs)) == ("PASSED", "a test", 10)
        assert check.rungs[0]["code"] == "identity"
        assert check.ended_at is not None
        assert f"kcx-c{delivered.connection.pk}-c{check.pk}" in check.rungs[1]["told"]

    def test_a_warning_passes_and_a_failed_rung_does_not(self, client_under_test: ClientUnderTest) -> None:
        assert checked(client_under_test).outcome == "WARNED", "the bucket is empty"
        refuse_kcx(client_under_test)
        assert checked(client_under_test).outcome == "FAILED"

    def test_an_outage_says_nothing_about_the_client(self, delivered: ClientUnderTest, at_once: None) -> None:
        checked(delivered)
        with refusing({DATA: ("SlowDown", "Please reduce your request rate.")}):
            assert checked(delivered).outcome == "CRASHED"
        assert verdict(delivered) == "passed"

    def test_one_that_passes_lets_go_on_what_was_refused(self, client_under_test: ClientUnderTest) -> None:
        export = an_export(client_under_test.connection)
        refused = failed(export, error_code="access_denied")
        archived = failed(export, error_code="archived_object")
        corrupt = failed(export)
        refuse_kcx(client_under_test)
        client_under_test.discover()
        ClientConnection.objects.update(next_discovery_at=timezone.now() + timedelta(hours=1))
        checked(client_under_test)
        assert SourceFile.objects.filter(next_retry_at=None).count() == 3
        let_kcx_in(client_under_test)
        checked(client_under_test)
        assert set(SourceFile.objects.filter(next_retry_at=None)) == {archived, corrupt}
        tasks.tick()
        (entry,) = OrmQ.objects.all()
        assert entry.task["func"] == "ingestion.tasks.discover"
        assert not queueing.loadable_files().exists()
        tasks.discover(client_under_test.connection.pk)
        refused.refresh_from_db()
        assert (refused.status, refused.skip_reason) == ("SKIPPED", "GONE"), "it was never in the bucket"

    def test_one_of_a_connection_runs_at_a_time(self, delivered: ClientUnderTest) -> None:
        with connections["progress"].cursor() as other:
            other.execute("SELECT pg_advisory_lock(%s, %s)", [LOCK_CLASS, delivered.connection.pk])
            assert run_access_check(delivered.connection.pk, "a test") is None
            other.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, delivered.connection.pk])
        assert run_access_check(delivered.connection.pk, "a test") is not None

    def test_each_rung_is_committed_as_it_is_done(
        self, delivered: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[int] = []
        save = AccessCheck.save

        def watched(check: AccessCheck, **options: Any) -> None:
            save(check, **options)
            stored = AccessCheck.objects.using("progress").get(pk=check.pk)
            seen.append(len(stored.rungs))

        # What another session sees between two rungs, no server can be made to hold still for.
        monkeypatch.setattr(AccessCheck, "save", watched)
        checked(delivered)
        assert set(range(11)) <= set(seen)

    def test_what_a_dead_worker_left_is_closed_by_the_next(self, delivered: ClientUnderTest) -> None:
        dead = AccessCheck.objects.create(connection=delivered.connection, actor="dead")
        checked(delivered)
        dead.refresh_from_db()
        assert dead.outcome == "CRASHED"

    def test_the_sweep_closes_what_was_begun_and_lets_wait_what_is_queued(
        self, delivered: ClientUnderTest
    ) -> None:
        queued = AccessCheck.objects.create(connection=delivered.connection, actor="queued")
        begun = AccessCheck.objects.create(connection=delivered.connection, actor="x", rungs=[{}])
        tasks.sweep()
        begun.refresh_from_db()
        queued.refresh_from_db()
        assert (begun.outcome, queued.outcome) == ("CRASHED", "RUNNING")
        AccessCheck.objects.filter(pk=queued.pk).update(started_at=timezone.now() - timedelta(hours=2))
        assert close_dead_checks() == 1

    def test_a_check_waits_as_long_as_its_task_does(self, delivered: ClientUnderTest) -> None:
        check = queue_access_check(delivered.connection.pk, "Olga")
        AccessCheck.objects.update(started_at=timezone.now() - timedelta(hours=2))
        tasks.sweep()
        check.refresh_from_db()
        assert check.outcome == "RUNNING", "loads may stand before it for hours"
        OrmQ.objects.update(lock=timezone.now() + timedelta(hours=1))
        tasks.sweep()
        check.refresh_from_db()
        assert check.outcome == "RUNNING", "also in a cluster that has taken it"
        OrmQ.objects.all().delete()
        tasks.sweep()
        check.refresh_from_db()
        assert check.outcome == "CRASHED"


class TestTheQueue:
    def test_a_queued_check_is_done_once_by_its_id(self, delivered: ClientUnderTest) -> None:
        check = queue_access_check(delivered.connection.pk, "Olga")
        (entry,) = OrmQ.objects.all()
        assert entry.task["func"] == "ingestion.tasks.check_access"
        assert entry.task["args"] == (check.pk,)
        tasks.check_access(check.pk)
        tasks.check_access(check.pk)
        done = AccessCheck.objects.get()
        assert (done.outcome, done.actor, len(done.rungs)) == ("PASSED", "Olga", 10)

    def test_asking_again_while_one_waits_answers_that_one(self, delivered: ClientUnderTest) -> None:
        first = queue_access_check(delivered.connection.pk, "Olga")
        assert queue_access_check(delivered.connection.pk, "Omar") == first
        OrmQ.objects.all().delete()
        assert queue_access_check(delivered.connection.pk, "Omar") == first
        assert OrmQ.objects.count() == 1, "its task was lost: it is queued again"
        tasks.check_access(first.pk)
        assert queue_access_check(delivered.connection.pk, "Omar") != first

    def test_the_schedule_queues_no_check_beside_one_that_waits(self, delivered: ClientUnderTest) -> None:
        queue_access_check(delivered.connection.pk, "Olga")
        assert queue_due_access_checks("schedule") == 0
        assert OrmQ.objects.count() == 1

    def test_one_that_was_not_let_in_is_checked_again_the_next_night(
        self, delivered: ClientUnderTest
    ) -> None:
        checked(delivered)
        refuse_kcx(delivered)
        assert checked(delivered).outcome == "FAILED"
        let_kcx_in(delivered)
        assert queue_due_access_checks("schedule") == 1
        tasks.check_access(AccessCheck.objects.latest("pk").pk)
        assert verdict(delivered) == "passed"
        assert queue_due_access_checks("schedule") == 0

    def test_an_enabled_connection_is_checked_again_after_a_week(self, delivered: ClientUnderTest) -> None:
        passed_since(delivered.connection, timedelta(days=6, minutes=1))
        tasks.check_access_weekly()
        assert OrmQ.objects.count() == 0
        # That check waited a minute in the queue; tonight's schedule comes at the same hour.
        passed_since(new_client_like(delivered), timedelta(days=7) - timedelta(minutes=1))
        assert queue_due_access_checks("schedule") == 1
        ClientConnection.objects.update(enabled=False)
        AccessCheck.objects.filter(outcome="RUNNING").update(outcome="CRASHED", ended_at=timezone.now())
        assert queue_due_access_checks("schedule") == 0


def passed_since(connection: ClientConnection, age: timedelta) -> None:
    """A check of the connection as it is that passed so long ago."""
    AccessCheck.objects.create(
        connection=connection, actor="x", outcome="PASSED", ended_at=timezone.now() - age, rungs=[]
    )


def new_client_like(client: ClientUnderTest) -> ClientConnection:
    """Another enabled connection of the same client."""
    return ClientConnection.objects.create(
        client=client.connection.client,
        name="another",
        bucket="another-bucket",
        role_arn=client.connection.role_arn,
        enabled=True,
    )


class TestTheState:
    def test_it_follows_what_the_checks_find(self, delivered: ClientUnderTest) -> None:
        assert verdict(delivered) == "unchecked"
        AccessCheck.objects.create(connection=delivered.connection, actor="x")
        assert verdict(delivered) == "running"
        checked(delivered)
        assert verdict(delivered) == "passed"
        refuse_kcx(delivered)
        checked(delivered)
        assert verdict(delivered) == "lost"
        let_kcx_in(delivered)
        checked(delivered)
        assert verdict(delivered) == "passed"

    def test_a_wrong_clock_of_kcx_is_not_lost_access(
        self, delivered: ClientUnderTest, wire: FaultyAws, caplog: pytest.LogCaptureFixture
    ) -> None:
        checked(delivered)
        delivered.discover()
        wire.ever["ListObjectsV2"] = answering(403, "RequestTimeTooSkewed")
        assert delivered.discover().error_code == "clock_skew"
        assert delivered.discover().error_code == "clock_skew"
        (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
        assert "KCX itself can ask AWS nothing" in told.getMessage()
        assert verdict(delivered) == "passed"
        assert not Event.objects.filter(kind="access.lost").exists()
        assert not queueing.reachable().exists(), "no load is tried meanwhile"

    def test_a_check_without_an_identity_of_kcxs_loses_no_access(
        self, delivered: ClientUnderTest, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        checked(delivered)
        with monkeypatch.context() as without_identity:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                without_identity.delenv(name)
            without_identity.setenv("AWS_EC2_METADATA_DISABLED", "true")
            without_identity.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
            check = checked(delivered)
        assert (check.outcome, check.rungs[0]["error"]) == ("CRASHED", "no_identity")
        assert verdict(delivered) == "passed"
        assert lost_lines(caplog) == []
        assert not Event.objects.filter(kind="access.lost").exists()

    def test_a_check_by_a_wrong_clock_of_kcxs_loses_no_access(
        self, delivered: ClientUnderTest, wire: FaultyAws
    ) -> None:
        checked(delivered)
        wire.ever["ListObjectsV2"] = answering(403, "RequestTimeTooSkewed")
        assert checked(delivered).outcome == "CRASHED"
        assert verdict(delivered) == "passed"
        assert not Event.objects.filter(kind="access.lost").exists()

    def test_a_first_check_that_fails_has_lost_nothing(self, delivered: ClientUnderTest) -> None:
        refuse_kcx(delivered)
        checked(delivered)
        assert verdict(delivered) == "failed"
        assert "trust policy" in access_state(delivered.connection).sentence

    def test_warnings_are_told(self, client_under_test: ClientUnderTest) -> None:
        checked(client_under_test)
        assert verdict(client_under_test) == "warned"

    def test_a_refused_discovery_loses_access_until_one_succeeds(self, delivered: ClientUnderTest) -> None:
        checked(delivered)
        refuse_kcx(delivered)
        delivered.discover()
        assert verdict(delivered) == "lost"
        let_kcx_in(delivered)
        delivered.discover()
        assert verdict(delivered) == "passed"

    def test_a_changed_connection_is_no_longer_checked(self, delivered: ClientUnderTest) -> None:
        checked(delivered)
        ClientConnection.objects.update(region="us-west-2")
        assert verdict(delivered) == "unchecked"

    def test_lost_access_is_logged_once_a_change(
        self, delivered: ClientUnderTest, caplog: pytest.LogCaptureFixture
    ) -> None:
        checked(delivered)
        assert lost_lines(caplog) == []
        refuse_kcx(delivered)
        delivered.discover()
        delivered.discover()
        checked(delivered)
        checked(delivered)
        assert len(lost_lines(caplog)) == 1
        let_kcx_in(delivered)
        checked(delivered)
        refuse_kcx(delivered)
        checked(delivered)
        assert len(lost_lines(caplog)) == 2
        assert delivered.connection.name in lost_lines(caplog)[0]


class TestEnabling:
    @pytest.fixture
    def disabled(self, aws: SimulatedAws, raw_database: None) -> ClientUnderTest:
        client = new_client(aws, enable=False)
        client.account.put_object(DATA, b"a\n1\n")
        return client

    def test_a_passed_check_enables_and_it_is_recorded(self, disabled: ClientUnderTest) -> None:
        checked(disabled)
        enable(disabled.connection, "Olga")
        assert disabled.connection.enabled
        action = StaffAction.objects.get(action="enable")
        assert (action.actor, action.connection, action.detail) == (
            "Olga",
            disabled.connection,
            {"verified": True},
        )

    def test_without_a_check_nothing_is_enabled(self, disabled: ClientUnderTest) -> None:
        refused(lambda: enable(disabled.connection, "Olga"), disabled)

    def test_a_failed_check_does_not_enable_and_a_reason_does(self, disabled: ClientUnderTest) -> None:
        refuse_kcx(disabled)
        checked(disabled)
        refused(lambda: enable(disabled.connection, "Olga"), disabled)
        enable(disabled.connection, "Olga", "the role comes on Monday")
        disabled.connection.refresh_from_db()
        assert disabled.connection.unverified_reason == "the role comes on Monday"
        assert StaffAction.objects.get(action="enable").reason == "the role comes on Monday"

    def test_a_check_of_other_settings_does_not_count(self, disabled: ClientUnderTest) -> None:
        checked(disabled)
        ClientConnection.objects.update(region="us-west-2")
        refused(lambda: enable(disabled.connection, "Olga"), disabled)

    def test_an_unsafe_role_is_never_enabled_whatever_the_reason(self, disabled: ClientUnderTest) -> None:
        ask_for_no_external_id(disabled)
        checked(disabled)
        refused(lambda: enable(disabled.connection, "Olga", "they insist"), disabled)
        ClientConnection.objects.update(region="us-west-2")
        refused(lambda: enable(disabled.connection, "Olga", "another region now"), disabled)
        ClientConnection.objects.update(region=disabled.account.region)
        let_kcx_in(disabled)
        checked(disabled)
        enable(disabled.connection, "Olga")
        assert disabled.connection.enabled

    def test_a_check_that_finds_the_role_unsafe_disables_the_connection(
        self, client_under_test: ClientUnderTest
    ) -> None:
        ask_for_no_external_id(client_under_test)
        check = checked(client_under_test)
        assert not client_under_test.connection.enabled
        action = StaffAction.objects.get(action="disable")
        assert (action.actor, f"Access check {check.pk}" in action.reason) == ("a test", True)

    def test_no_verdict_stands_without_what_follows_from_it(
        self, client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def killed(*_told: Any) -> None:
            raise SystemExit

        ask_for_no_external_id(client_under_test)
        with monkeypatch.context() as patch:
            # No worker can be killed just there.
            patch.setattr("ingestion.access.check.disable", killed)
            with pytest.raises(SystemExit):
                run_access_check(client_under_test.connection.pk, "a test")
        assert AccessCheck.objects.get().outcome == "RUNNING"
        assert not Event.objects.filter(kind="access.lost").exists()
        checked(client_under_test)
        assert not client_under_test.connection.enabled

    def test_an_sts_that_does_not_refuse_but_fails_does_not_make_the_role_unsafe(
        self, client_under_test: ClientUnderTest, wire: FaultyAws
    ) -> None:
        told = b"<ErrorResponse><Error><Code>RegionDisabledException</Code></Error></ErrorResponse>"
        wire.script("AssumeRole", *[untouched] * 3)  # who KCX is, the role, and who that is
        wire.ever["AssumeRole"] = answering(400, body=told)
        check = checked(client_under_test)
        verdicts = {rung["code"]: rung["verdict"] for rung in check.rungs}
        assert (verdicts["assume_role"], verdicts["external_id_missing"]) == ("passed", "failed")
        assert not check.found_unsafe
        assert not check.must_stop
        assert client_under_test.connection.enabled

    def test_a_check_that_fails_otherwise_leaves_it_enabled(self, client_under_test: ClientUnderTest) -> None:
        refuse_kcx(client_under_test)
        checked(client_under_test)
        assert client_under_test.connection.enabled

    def test_disabling_is_recorded_and_enabling_again_needs_what_it_needed(
        self, disabled: ClientUnderTest
    ) -> None:
        enable(disabled.connection, "Olga", "a trial")
        disable(disabled.connection, "Omar", "the trial is over")
        assert not disabled.connection.enabled
        assert StaffAction.objects.get(action="disable").reason == "the trial is over"
        with pytest.raises(ValidationError, match="Verify access first"):
            enable(disabled.connection, "Olga")

    def test_a_form_may_not_enable_either(self, disabled: ClientUnderTest) -> None:
        disabled.connection.enabled = True
        with pytest.raises(ValidationError, match="Verify access first"):
            disabled.connection.full_clean()
        checked(disabled)
        disabled.connection.enabled = True
        disabled.connection.full_clean()

    def test_an_old_reason_does_not_enable_again_by_a_form(self, disabled: ClientUnderTest) -> None:
        enable(disabled.connection, "Olga", "a trial")
        disable(disabled.connection, "Olga")
        disabled.connection.enabled = True
        with pytest.raises(ValidationError, match="Verify access first"):
            disabled.connection.full_clean()

    def test_an_enabled_connection_keeps_its_role(self, client_under_test: ClientUnderTest) -> None:
        connection = client_under_test.connection
        connection.full_clean()
        connection.role_arn = "arn:aws:iam::111122223333:role/another"
        with pytest.raises(ValidationError, match="Verify access first"):
            connection.full_clean()


class TestTheTwoActions:
    """The role the client is asked for is the only thing that passes the ladder without a word."""

    @pytest.mark.parametrize("left_out", [0, 1])
    def test_with_one_action_less_it_fails(self, delivered: ClientUnderTest, left_out: int) -> None:
        trust, permission = policies_of(delivered.connection)
        del permission["Statement"][left_out]
        delivered.account.put_role(trust, permission)
        assert checked(delivered).outcome == "FAILED"

    @pytest.mark.parametrize("action", ["s3:ListBucket", "s3:ListAllMyBuckets", "s3:*", "*"])
    def test_with_one_more_it_warns(self, delivered: ClientUnderTest, action: str) -> None:
        trust, permission = policies_of(delivered.connection)
        more = {"Effect": "Allow", "Action": action, "Resource": "*"}
        delivered.account.put_role(trust, policy(*permission["Statement"], more))
        assert checked(delivered).outcome == "WARNED"

    def test_with_another_prefix_it_fails(self, delivered: ClientUnderTest) -> None:
        ClientConnection.objects.update(prefix="elsewhere/")
        assert checked(delivered).outcome == "FAILED"


def refused(enabling: Callable[[], None], client: ClientUnderTest) -> None:
    with pytest.raises(ValidationError):
        enabling()
    assert not ClientConnection.objects.get(pk=client.connection.pk).enabled
    assert not StaffAction.objects.filter(action="enable", connection=client.connection).exists()
