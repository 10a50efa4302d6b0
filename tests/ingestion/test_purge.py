"""A purge erases one connection's rows for good: told by its receipt, refused while anybody works on it."""

import json
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse

from billing.models import RawRow
from ingestion import tasks
from ingestion.access.enabling import disable, enable
from ingestion.models import (
    AccessCheck,
    AwsUse,
    ClientConnection,
    Delivery,
    Receipt,
    SourceFile,
    StaffAction,
    VerificationRequest,
)
from ingestion.pipeline import run
from ingestion.pipeline.update_registry import want
from ingestion.purge import purge
from ingestion.queueing import queue_access_check, request_discovery
from ingestion.verification.wishes import request_verification_of_connection
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.server import SimulatedAws
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from tests.billing.raw_rows import second_session
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.ingestion.registered import a_file
from tests.ingestion.verifying import head_of, tamper, told, verify

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY, BROKEN, UNKNOWN = "exports/lines/one.csv.gz", "exports/lines/two.csv.gz", "exports/lines/notes.pdf"
ENDED = "The contract ended."


@pytest.fixture
def ended(client_under_test: ClientUnderTest) -> ClientUnderTest:
    """A disabled connection: a key of two versions, one that failed, one that is skipped, a month."""
    for text in ("a,b\n1,2\n3,\n", "a,b\n5,6\n"):
        client_under_test.account.put_object(KEY, csv_gz(text))
        client_under_test.ingest()
    client_under_test.account.put_object(BROKEN, csv_gz("a,b\n1\n"))
    client_under_test.account.put_object(UNKNOWN, b"nothing")
    export = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
    service = BillingService(client_under_test.account)
    service.deliver(export, date(2026, 1, 1), [cur2_parquet(date(2026, 1, 1), 50, 1)])
    client_under_test.ingest()
    service.deliver(export, date(2026, 2, 1), [cur2_parquet(date(2026, 2, 1), 50, 1)])
    client_under_test.discover()
    disable(client_under_test.connection, "test")
    return client_under_test


def rows_of(client: ClientUnderTest) -> int:
    return RawRow.objects.filter(connection_id=client.connection.pk).count()


def everything() -> tuple[Any, ...]:
    """What a purge changes, of all connections."""
    files = SourceFile.objects.order_by("pk").values_list("pk", "status", "skip_reason", "rows_sha256")
    deliveries = Delivery.objects.order_by("pk").values_list("pk", "status", "reason", "superseded_at")
    ends = ClientConnection.objects.order_by("pk").values_list("pk", "purged_at")
    counts = [model.objects.count() for model in (RawRow, Receipt, StaffAction, VerificationRequest)]
    return list(files), list(deliveries), list(ends), counts


def refused(client: ClientUnderTest, match: str) -> None:
    before = everything()
    with pytest.raises(ValidationError, match=match):
        purge(client.connection.pk, "anna", ENDED)
    assert everything() == before


class TestDone:
    def test_it_takes_all_rows_of_the_connection_and_none_of_its_neighbour(
        self, ended: ClientUnderTest, aws: SimulatedAws
    ) -> None:
        neighbour = new_client(aws)
        neighbour.account.put_object(KEY, csv_gz("a\nstays\n"))
        neighbour.ingest()
        neighbours_head = head_of(neighbour)
        assert rows_of(ended) == 2 + 1 + 50
        purge(ended.connection.pk, "anna", ENDED)
        assert rows_of(ended) == 0
        assert neighbour.rows(KEY) == [["stays"]]
        assert verify(neighbour, "--against-s3", "--head", neighbours_head) == (0, set(), "")

    def test_every_file_is_skipped_for_ever_and_no_delivery_is_current_or_open(
        self, ended: ClientUnderTest
    ) -> None:
        assert set(ended.connection.files.values_list("status", flat=True)) == set(SourceFile.Status.values)
        assert set(Delivery.objects.values_list("status", flat=True)) == set(Delivery.Status.values)
        receipt = purge(ended.connection.pk, "anna", ENDED)
        connection = ClientConnection.objects.get(pk=ended.connection.pk)
        states = connection.files.values_list("status", "skip_reason", "object_sha256", "error_message")
        assert set(states) == {("SKIPPED", "PURGED", "", "")}
        assert set(Delivery.objects.values_list("status", flat=True)) == {"SUPERSEDED"}
        ends = Delivery.objects.filter(reason__contains="purged").values_list("superseded_at", flat=True)
        assert set(ends) == {connection.purged_at}
        assert run.publish_ready() == 0
        action = StaffAction.objects.get(action="purge")
        assert (action.actor, action.reason, action.connection) == ("anna", ENDED, connection)
        assert receipt.created_at >= connection.purged_at

    def test_its_receipt_says_who_why_and_what(self, ended: ClientUnderTest) -> None:
        before = Receipt.objects.latest("sequence")
        receipt = purge(ended.connection.pk, "anna", ENDED)
        body = json.loads(receipt.body)
        assert (receipt.kind, receipt.sequence) == ("PURGE", before.sequence + 1)
        assert (body["actor"], body["reason"]) == ("anna", ENDED)
        assert (body["files"], body["rows"]) == (3, 53)
        assert body["bucket"] == ended.account.bucket

    def test_the_chain_verifies_with_a_head_exported_before(self, ended: ClientUnderTest) -> None:
        exported = head_of(ended)
        purge(ended.connection.pk, "anna", ENDED)
        assert verify(ended, "--head", exported) == (0, set(), "")

    def test_what_was_asked_for_is_asked_for_no_more(self, ended: ClientUnderTest) -> None:
        request_verification_of_connection(ended.connection, "anna")
        connections = ClientConnection.objects.filter(pk=ended.connection.pk)
        connections.update(discovery_requested_by="anna")
        purge(ended.connection.pk, "anna", ENDED)
        assert not VerificationRequest.objects.exists()
        assert connections.get().discovery_requested_by == ""

    def test_it_is_done_once(self, ended: ClientUnderTest) -> None:
        purge(ended.connection.pk, "anna", ENDED)
        refused(ended, "It was purged")


class TestRefused:
    def test_while_it_is_enabled(self, client_under_test: ClientUnderTest) -> None:
        refused(client_under_test, "disable it first")

    def test_while_it_is_discovered(self, ended: ClientUnderTest) -> None:
        with second_session(autocommit=True) as other:
            other.execute("SELECT pg_advisory_lock(%s, %s)", [0x4B4358, ended.connection.pk])
            refused(ended, "being discovered now")

    def test_while_its_access_is_checked(self, ended: ClientUnderTest) -> None:
        queue_access_check(ended.connection.pk, "anna")
        refused(ended, "access is being checked")

    @pytest.mark.parametrize(
        ("table", "busy"),
        [
            ("ingestion_sourcefile", "loading now"),
            ("ingestion_deliveryscope", "being published now"),
            ("ingestion_clientconnection", "being written"),
        ],
    )
    def test_while_somebody_holds_a_lock(self, ended: ClientUnderTest, table: str, busy: str) -> None:
        with second_session() as other:
            other.execute(f"SELECT FROM {table} FOR NO KEY UPDATE")
            refused(ended, busy)

    def test_while_a_verification_of_it_is_answered(self, ended: ClientUnderTest) -> None:
        request_verification_of_connection(ended.connection, "anna")
        with second_session() as other:
            other.execute("SELECT FROM ingestion_verificationrequest FOR NO KEY UPDATE")
            refused(ended, "being written")

    def test_while_somebody_reads_its_rows(self, ended: ClientUnderTest) -> None:
        with second_session() as other:
            other.execute("SELECT FROM billing_rawrow")
            refused(ended, "Somebody reads its rows")

    def test_one_that_is_rolled_back_took_nothing(
        self, ended: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = everything()
        with connection.cursor() as cursor:
            # As an administrator's mistake would: the last statement of the purge fails.
            cursor.execute("ALTER FUNCTION billing_purge_connection(bigint) RENAME TO away")
        try:
            with pytest.raises(DatabaseError, match="does not exist"):
                purge(ended.connection.pk, "anna", ENDED)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("ALTER FUNCTION away(bigint) RENAME TO billing_purge_connection")
        assert everything() == before

    @pytest.mark.parametrize("told_before", [False, True])
    def test_a_call_of_the_function_that_no_receipt_of_its_transaction_tells_of(
        self, ended: ClientUnderTest, told_before: bool
    ) -> None:
        pk = ended.connection.pk
        if told_before:
            purge(pk, "anna", ENDED)
        why = "no receipt of this transaction" if told_before else "not marked as purged"
        with pytest.raises(DatabaseError, match=why), connection.cursor() as cursor:
            cursor.execute("SELECT ingestion_purge_connection(%s)", [pk])


class TestNeverAgain:
    @pytest.fixture
    def purged(self, ended: ClientUnderTest) -> ClientUnderTest:
        purge(ended.connection.pk, "anna", ENDED)
        ended.connection.refresh_from_db()
        AwsUse.objects.all()
        return ended

    def test_it_is_never_enabled(self, purged: ClientUnderTest) -> None:
        with pytest.raises(ValidationError, match="It was purged"):
            enable(purged.connection, "anna", "a reason")
        with pytest.raises(IntegrityError, match="connection_purged_is_disabled"):
            ClientConnection.objects.filter(pk=purged.connection.pk).update(enabled=True)

    def test_its_bucket_is_not_looked_at(self, purged: ClientUnderTest) -> None:
        uses = AwsUse.objects.exclude(calls={}).count()
        purged.account.put_object("exports/lines/new.csv.gz", csv_gz("a\n1\n"))
        files = SourceFile.objects.count()
        with pytest.raises(ValidationError, match="It was purged"):
            request_discovery(purged.connection, "anna")
        with pytest.raises(ValidationError, match="It was purged"):
            queue_access_check(purged.connection.pk, "anna")
        runs = purged.connection.discovery_runs
        before = runs.count()
        tasks.discover(purged.connection.pk)  # one that waited in the queue
        assert runs.count() == before
        run.discover(purged.connection.pk, "anna")
        assert runs.latest("pk").error_code == "connection_purged"
        named = ["--connection", str(purged.connection.pk)]
        assert [told(*command, *named)[0] for command in (["discover"], ["ingest"], ["check_access"])] == [
            2
        ] * 3
        assert SourceFile.objects.count() == files
        assert AwsUse.objects.exclude(calls={}).count() == uses

    def test_no_file_of_it_is_wanted_or_loaded_again(self, purged: ClientUnderTest) -> None:
        files = list(purged.connection.files.values_list("pk", flat=True))
        with transaction.atomic():
            assert want(files) == 0
        assert [run.load(file, "test") for file in files] == [None] * len(files)
        late = a_file(purged.connection.exports.first(), key="exports/lines/late.csv.gz")
        attempt = run.load(late.pk, "test")
        assert attempt
        assert (attempt.outcome, attempt.error_code) == ("FAILED", "connection_purged")
        assert rows_of(purged) == 0

    def test_an_older_delivery_of_it_is_not_ingested(self, purged: ClientUnderTest) -> None:
        for delivery in Delivery.objects.exclude(manifest_key=""):
            assert told("ingest", "--delivery", str(delivery.pk))[0] == 2
        assert rows_of(purged) == 0

    def test_its_page_and_the_dashboard_say_so_and_offer_nothing_that_cannot_work(
        self, purged: ClientUnderTest
    ) -> None:
        User.objects.create_superuser("chief", password="of the tests")
        browser = Browser()
        browser.force_login(User.objects.get())
        pk = purged.connection.pk
        page = browser.get(reverse("admin:ingestion_clientconnection_home", args=[pk]), secure=True)
        home = page.content.decode()
        assert "Purged at <time" in home
        assert reverse("admin:ingestion_clientconnection_act", args=[pk, "verify"]) not in home
        assert "/do/" not in home
        dashboard = browser.get(reverse("admin:index"), secure=True).content.decode()
        assert ">Purged</span> <time" in dashboard
        settings = browser.get(reverse("admin:ingestion_clientconnection_change", args=[pk]), secure=True)
        assert 'name="enabled"' not in settings.content.decode()
        asked = browser.post(
            reverse("admin:ingestion_clientconnection_act", args=[pk, "verify"]), secure=True
        )
        assert asked.status_code == 302
        assert not AccessCheck.objects.filter(outcome="RUNNING").exists()
        receipts = browser.get(reverse("admin:ingestion_receipt_changelist"), secure=True)
        assert "All rows" in receipts.content.decode()


LAST_DELIVERY = "(SELECT max(delivery_id) FROM ingestion_receipt)"
PURGE_RECEIPT = "UPDATE ingestion_receipt SET body = replace(body, '{}', '{}') WHERE kind = 'PURGE'"
TAMPERINGS = {
    "who did it": (PURGE_RECEIPT.format("anna", "bert"), {"receipt_hash"}, "Hash of receipt"),
    "how much was erased": (
        PURGE_RECEIPT.format('"rows":53', '"rows":3'),
        {"receipt_hash", "registry"},
        "rows of the purge",
    ),
    "that there was one": (
        "DELETE FROM ingestion_receipt WHERE kind = 'PURGE'",
        {"head", "no_receipt", "registry"},
        "The connection is purged, but no receipt is of that.",
    ),
    "that the connection is purged": (
        "UPDATE ingestion_clientconnection SET purged_at = NULL",
        {"registry"},
        "purged_at of the purge",
    ),
    "that a file is": (
        "UPDATE ingestion_sourcefile SET skip_reason = 'BY_STAFF'",
        {"registry"},
        "'PURGED' expected, 'BY_STAFF' found.",
    ),
    "the name of an erased file": (
        "UPDATE ingestion_sourcefile SET key = key || '.old'",
        {"registry"},
        "key of file",
    ),
    "that no delivery is current": (
        f"UPDATE ingestion_delivery SET status = 'CURRENT', superseded_at = NULL WHERE id = {LAST_DELIVERY}",
        {"registry"},
        "status of delivery",
    ),
    "the rows": (
        (
            "INSERT INTO billing_rawrow"
            " SELECT connection_id, id, 1, '{1,2}' FROM ingestion_sourcefile ORDER BY id LIMIT 1"
        ),
        {"rows_of_no_load"},
        "0 expected, 1 found",
    ),
}


@pytest.mark.parametrize(("statement", "kinds", "sentence"), list(TAMPERINGS.values()), ids=list(TAMPERINGS))
def test_tampering_after_a_purge_is_found(
    ended: ClientUnderTest, statement: str, kinds: set[str], sentence: str
) -> None:
    purge(ended.connection.pk, "anna", ENDED)
    tamper(statement)
    status, found, sentences = verify(ended)
    assert (status, found) == (1, kinds)
    assert sentence in sentences


class TestCommand:
    def test_without_confirm_it_prints_what_would_be_erased_and_does_nothing(
        self, ended: ClientUnderTest
    ) -> None:
        before = everything()
        status, text = told("purge", "--connection", str(ended.connection.pk), "--reason", ENDED)
        assert status == 0
        assert "To be erased: 53 rows of 3 files" in text
        assert "4 deliveries end" in text
        assert everything() == before

    def test_it_says_what_is_in_the_way(self, client_under_test: ClientUnderTest) -> None:
        name = client_under_test.connection.name
        status, text = told("purge", "--connection", name)
        assert (status, "disable it first" in text) == (0, True)
        assert told("purge", "--connection", name, "--reason", ENDED, "--confirm", name)[0] == 1

    def test_confirmed_by_name_it_purges_and_names_the_receipt(self, ended: ClientUnderTest) -> None:
        name = ended.connection.name
        status, text = told("purge", "--connection", name, "--reason", ENDED, "--confirm", name)
        assert (status, rows_of(ended)) == (0, 0)
        assert head_of(ended) in text

    @pytest.mark.parametrize(
        "arguments",
        [["--reason", ENDED, "--confirm", "another"], ["--confirm", "{name}"], ["--connection", "x"]],
    )
    def test_what_is_not_confirmed_is_refused(self, ended: ClientUnderTest, arguments: list[str]) -> None:
        name = ended.connection.name
        asked = ["--connection", name, *(argument.format(name=name) for argument in arguments)]
        assert told("purge", *asked)[0] == 2
        assert rows_of(ended) == 53
