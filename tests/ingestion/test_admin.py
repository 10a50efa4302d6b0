"""The admin: every page opens, nothing can be deleted or forged, and what staff ask for is queued."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from ingestion.models import (
    AccessCheck,
    Client,
    ClientConnection,
    Delivery,
    DeliveryScope,
    DiscoveryRun,
    Export,
    LoadAttempt,
    Receipt,
    SourceFile,
    StaffAction,
)
from ingestion.pipeline.update_registry import want
from ingestion.publish import settle
from ingestion.queueing import queue_due_access_checks
from tests.ingestion.admin.everything import one_of_everything
from tests.ingestion.registered import (
    a_connection,
    a_delivery,
    a_file,
    a_scope,
    an_export,
    failed,
    ingested,
    running,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]

HOSTILE = "<script>alert('x')</script>"
# People are Django's own pages; the queue's have tests of their own.
KCX_MODELS = [
    model
    for model in admin.site._registry
    if model not in (User, Group) and model._meta.app_label != "django_q"
]
LOGINS = {"axes.accesslog", "axes.accessattempt"}
VIEWED = [Client, ClientConnection, Export, SourceFile, Delivery, LoadAttempt, DiscoveryRun]


@pytest.fixture(autouse=True)
def account_of_kcx(settings: Any) -> None:
    settings.KCX_AWS_ACCOUNT_ID = "444455556666"


@pytest.fixture
def chief() -> Browser:
    """The browser of a superuser."""
    return browser_of(User.objects.create_superuser("chief"))


@pytest.fixture
def viewer() -> Browser:
    """The browser of somebody who may look at everything, and do nothing."""
    return staff("view")


@pytest.fixture
def export(raw_database: None) -> Export:
    return an_export(a_connection())


def browser_of(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user)
    return browser


def staff(*may: str) -> Browser:
    """The browser of a member of staff who may do this with every model of KCX."""
    user = User.objects.create_user("-".join(["staff", *may]), is_staff=True)
    codenames = [f"{verb}_{model._meta.model_name}" for verb in may for model in KCX_MODELS]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return browser_of(user)


def address(model: type[Any], page: str = "changelist", *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def get(browser: Browser, path: str, **parameters: object) -> HttpResponse:
    return browser.get(path, parameters, secure=True)


def text_of(browser: Browser, path: str, **parameters: object) -> str:
    answer = get(browser, path, **parameters)
    assert answer.status_code == 200
    return answer.content.decode()


def act(browser: Browser, action: str, *chosen: Any, **more: str) -> HttpResponse:
    data = {"action": action, "_selected_action": [one.pk for one in chosen], "index": 0, **more}
    return browser.post(address(type(chosen[0])), data, secure=True, follow=True)


def ask(browser: Browser, action: str, *chosen: Any, reason: str = "AWS mended it") -> HttpResponse:
    """What `act` does for wishes that need a reason: the page asks, and is answered."""
    page = act(browser, action, *chosen)
    assert 'name="reason"' in page.content.decode()
    return act(browser, action, *chosen, reason=reason)


def told(action: StaffAction) -> tuple[object, ...]:
    return action.actor, action.action, action.connection_id, action.source_file_id, action.reason


def queued() -> list[tuple[str, int]]:
    found = [entry.task for entry in OrmQ.objects.order_by("id")]
    return [(task["func"].removeprefix("ingestion.tasks."), *task["args"]) for task in found]


def test_staff_see_every_model_of_kcx() -> None:
    assert set(VIEWED) <= set(KCX_MODELS)


@pytest.mark.parametrize("who", ["chief", "viewer"])
def test_every_list_and_every_page_opens(who: str, request: pytest.FixtureRequest) -> None:
    browser = request.getfixturevalue(who)
    everything = one_of_everything()
    assert set(everything) == {model._meta.label_lower for model in admin.site._registry}
    for model in admin.site._registry if who == "chief" else KCX_MODELS:
        one = everything[model._meta.label_lower]
        assert get(browser, address(model)).status_code == 200, model
        assert get(browser, address(type(one), "change", one.pk)).status_code == 200, one
        assert get(browser, address(type(one), "history", one.pk)).status_code == 200, one
    assert get(browser, reverse("admin:index")).status_code == 200


def test_what_a_client_writes_is_shown_and_never_run(chief: Browser) -> None:
    everything = one_of_everything(text=HOSTILE)
    ask(chief, "retry_now", everything["ingestion.sourcefile"], reason=HOSTILE)
    act(chief, "discover_now", everything["ingestion.clientconnection"])
    pages = [address(type(one)) for one in everything.values()]
    pages += [
        address(type(one), page, one.pk) for one in everything.values() for page in ("change", "history")
    ]
    one = everything["ingestion.clientconnection"]
    pages += [address(type(one), page, one.pk) for page in ("home", "transparency")]
    shown = 0
    for page in [*pages, reverse("admin:index")]:
        text = text_of(chief, page)
        assert "<script>alert" not in text, page
        shown += "&lt;script&gt;alert(" in text
    assert shown >= len(everything) * 2, "it is shown, escaped"


class TestActions:
    def test_discover_now_queues_the_enabled_ones(self, chief: Browser, export: Export) -> None:
        disabled = a_connection(enabled=False)
        answer = act(chief, "discover_now", export.connection, disabled)
        assert queued() == [("discover", export.connection_id)]
        assert "1 discoveries queued. 1 disabled left alone." in answer.content.decode()
        assert told(StaffAction.objects.get()) == ("chief", "discover", export.connection_id, None, "")

    def test_retry_queues_the_failed_ones(self, chief: Browser, export: Export) -> None:
        broken, fine = failed(export), ingested(export)
        answer = ask(chief, "retry_now", broken, fine)
        assert queued() == [("load", broken.pk)]
        assert "Retry: 1 of 2 files." in answer.content.decode()
        whose = export.connection_id, broken.pk
        assert told(StaffAction.objects.get()) == ("chief", "retry", *whose, "AWS mended it")
        broken.refresh_from_db()
        assert broken.requested_by == "chief"

    @pytest.mark.parametrize("reason", ["", "   "])
    def test_nothing_is_done_without_a_reason(self, chief: Browser, export: Export, reason: str) -> None:
        broken = failed(export)
        answer = act(chief, "retry_now", broken, reason=reason)
        assert "Give a reason." in answer.content.decode()
        assert queued() == []
        assert not StaffAction.objects.exists()

    def test_what_staff_skip_stays_skipped_until_it_is_released(self, chief: Browser, export: Export) -> None:
        broken = failed(export)
        delivery = a_delivery(a_scope(export), broken, listed_keys=[broken.key])
        ask(chief, "skip_now", broken, reason="A test file of the client's")
        with transaction.atomic():
            want([broken.pk])
        settle(delivery.pk)
        broken.refresh_from_db()
        delivery.refresh_from_db()
        assert (broken.status, broken.skip_reason) == ("SKIPPED", "BY_STAFF")
        assert delivery.reason == f"Skipped by staff: {broken.key}"
        ask(chief, "release_now", broken, reason="It is none")
        settle(delivery.pk)
        broken.refresh_from_db()
        delivery.refresh_from_db()
        assert (broken.status, broken.skip_reason, broken.error_code) == ("NEW", "", "")
        assert (delivery.status, delivery.reason) == ("PENDING", "")
        assert queued() == [("load", broken.pk)]
        assert list(StaffAction.objects.values_list("action", flat=True)) == ["release", "skip"]

    def test_reprocess_queues_the_ingested_ones_and_the_failed_ones(
        self, chief: Browser, export: Export
    ) -> None:
        broken, fine, skipped = (
            failed(export),
            ingested(export),
            a_file(export, status="SKIPPED", skip_reason="GONE"),
        )
        answer = ask(chief, "reprocess_now", broken, fine, skipped)
        assert sorted(queued()) == [("load", broken.pk), ("load", fine.pk)]
        assert "Reprocess: 2 of 3 files." in answer.content.decode()
        fine.refresh_from_db()
        assert fine.reload_requested_at is not None
        assert (fine.status, fine.row_count) == ("INGESTED", 0), "its rows stay until the new ones are there"

    def test_what_is_asked_for_twice_is_queued_again_and_does_no_harm(
        self, chief: Browser, export: Export
    ) -> None:
        broken = failed(export)
        for _ in range(2):
            ask(chief, "retry_now", broken)
        assert set(queued()) == {("load", broken.pk)}

    def test_files_of_a_disabled_client_are_not_queued_and_the_message_says_so(
        self, chief: Browser, export: Export
    ) -> None:
        broken = failed(export)
        Client.objects.update(enabled=False)
        answer = ask(chief, "retry_now", broken)
        assert "Retry: 1 of 1 files. 1 wait" in answer.content.decode()
        assert queued() == []

    def test_exports_are_decided_and_the_decision_is_recorded(self, chief: Browser, export: Export) -> None:
        for action, decision in (("ignore", Export.Decision.IGNORE), ("load", Export.Decision.LOAD)):
            act(chief, action, export)
            assert Export.objects.get().decision == decision
        actions = StaffAction.objects.order_by("pk").values_list("action", "connection", "detail")
        assert list(actions) == [
            ("export: do not load", export.connection_id, {"export": export.name, "before": "LOAD"}),
            ("export: load", export.connection_id, {"export": export.name, "before": "IGNORE"}),
        ]

    def test_whoever_may_operate_files_may_ask_for_them(self, export: Export) -> None:
        operator, broken = staff("view", "change", "operate", "discover"), failed(export)
        ask(operator, "retry_now", broken)
        act(operator, "discover_now", export.connection)
        assert queued() == [("load", broken.pk), ("discover", export.connection_id)]

    def test_somebody_who_may_only_look_is_shown_no_action_and_a_forged_one_is_refused(
        self, viewer: Browser, export: Export
    ) -> None:
        file = failed(export)
        loaded = ingested(export)
        before = list(SourceFile.objects.order_by("pk").values())
        for model in VIEWED:
            text = text_of(viewer, address(model))
            assert 'name="action"' not in text
            for action in ("discover_now", "retry_now", "reprocess_now", "skip_now", "delete_selected"):
                assert action not in text
        assert act(viewer, "discover_now", export.connection).status_code == 403
        assert act(viewer, "retry_now", file, reason="because").status_code == 403
        assert act(viewer, "skip_now", file, reason="because").status_code == 403
        assert act(viewer, "reprocess_now", loaded, reason="because").status_code == 403
        assert act(viewer, "ignore", export).status_code == 403
        assert queued() == []
        assert Export.objects.get().decision == Export.Decision.LOAD
        assert list(SourceFile.objects.order_by("pk").values()) == before
        assert StaffAction.objects.count() == 0

    def test_following_a_link_changes_nothing(self, chief: Browser, export: Export) -> None:
        file = failed(export)
        before = list(SourceFile.objects.values())
        for action, one in (
            ("discover_now", export.connection),
            ("retry_now", file),
            ("reprocess_now", file),
        ):
            get(chief, address(type(one)), action=action, _selected_action=one.pk, index=0)
            get(chief, address(type(one), "change", one.pk), action=action)
        assert queued() == []
        assert list(SourceFile.objects.values()) == before

    def test_a_stranger_is_sent_to_the_login(self, export: Export) -> None:
        for model in KCX_MODELS:
            answer = get(Browser(), address(model))
            assert (answer.status_code, "/login/" in answer.headers["Location"]) == (302, True)


def test_what_is_done_to_a_client_is_recorded(chief: Browser) -> None:
    chief.post(address(Client, "add"), {"name": "Made here", "enabled": "on"}, secure=True)
    made = Client.objects.get(name="Made here")
    chief.post(address(Client, "change", made.pk), {"name": "Made here"}, secure=True)
    added, changed = StaffAction.objects.order_by("pk")
    assert (added.action, added.detail["client"]) == ("add client", made.pk)
    assert (changed.action, changed.detail["enabled"]) == (
        "change client",
        {"before": "True", "after": "False"},
    )


class TestNothingIsDeleted:
    def test_no_page_has_a_delete_button_and_a_forged_one_is_refused(self, chief: Browser) -> None:
        for one in one_of_everything().values():
            model = type(one)
            if model not in KCX_MODELS:
                continue
            delete = address(model, "delete", one.pk)
            assert delete not in text_of(chief, address(model, "change", one.pk))
            assert "delete_selected" not in text_of(chief, address(model))
            assert chief.post(delete, {"post": "yes"}, secure=True).status_code == 403
            assert act(chief, "delete_selected", one, post="yes").status_code == 403
            assert model.objects.filter(pk=one.pk).exists()

    @pytest.mark.parametrize("model", [SourceFile, Delivery, LoadAttempt, DiscoveryRun])
    def test_history_can_neither_be_added_nor_changed(self, chief: Browser, model: type[Any]) -> None:
        one = one_of_everything()[model._meta.label_lower]
        before = model.objects.filter(pk=one.pk).values().get()
        assert get(chief, address(model, "add")).status_code == 403
        forged = {"status": "INGESTED", "outcome": "SUCCEEDED", "reason": "forged", "_save": "Save"}
        assert chief.post(address(model, "change", one.pk), forged, secure=True).status_code == 403
        assert model.objects.filter(pk=one.pk).values().get() == before

    @pytest.mark.parametrize("model", [SourceFile, Delivery, LoadAttempt, DiscoveryRun])
    def test_the_database_itself_refuses_to_delete_history(self, model: type[Any]) -> None:
        one_of_everything()
        before = model.objects.count()
        with pytest.raises(Exception, match="is never deleted"), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
        assert model.objects.count() == before > 0


class TestConnectionPage:
    def fields(self, browser: Browser, one: ClientConnection) -> dict[str, Any]:
        """What the browser would send back, unchanged."""
        form = get(browser, address(ClientConnection, "change", one.pk)).context["adminform"].form
        sent: dict[str, Any] = {}
        for name, field in form.fields.items():
            value = form.get_initial_for_field(field, name)
            if name == "next_discovery_at":
                sent |= {f"{name}_0": f"{value:%Y-%m-%d}", f"{name}_1": f"{value:%H:%M:%S}"}
            elif value is not False:
                sent[name] = field.prepare_value(value) if value is not None else ""
        return sent

    def save(self, browser: Browser, one: ClientConnection, **changes: object) -> HttpResponse:
        data = {**self.fields(browser, one), **changes, "_save": "Save"}
        answer = browser.post(address(ClientConnection, "change", one.pk), data, secure=True)
        one.refresh_from_db()
        return answer

    def test_bucket_and_prefix_can_be_mended_until_a_file_is_registered(
        self, chief: Browser, export: Export
    ) -> None:
        one = export.connection
        assert self.save(chief, one, bucket="another-bucket", prefix="new/").status_code == 302
        assert (one.bucket, one.prefix) == ("another-bucket", "new/")

        a_file(export)
        assert not {"bucket", "prefix"} & self.fields(chief, one).keys()
        assert self.save(chief, one, bucket="third-bucket", prefix="x/", name="renamed").status_code == 302
        assert (one.bucket, one.prefix, one.name) == ("another-bucket", "new/", "renamed")

    def test_a_connection_stays_its_clients_before_it_has_any_file(
        self, chief: Browser, export: Export
    ) -> None:
        one, other = export.connection, Client.objects.create(name="Another")
        assert "client" not in self.fields(chief, one)
        assert self.save(chief, one, client=other.pk, name="renamed").status_code == 302
        assert (one.name, one.client_id != other.pk) == ("renamed", True)
        one.client = other
        with pytest.raises(ValidationError, match="stays its client's"):
            one.full_clean()
        with pytest.raises(IntegrityError, match="never changed"):
            one.save()

    @pytest.mark.parametrize("change", [{"bucket": "third-bucket"}, {"prefix": "x/"}])
    def test_the_database_freezes_them_too(self, export: Export, change: dict[str, str]) -> None:
        ClientConnection.objects.update(**change)
        a_file(export)
        ClientConnection.objects.update(name="anything else may change")
        with pytest.raises(IntegrityError, match="frozen"):
            ClientConnection.objects.update(bucket="fourth-bucket")
        with pytest.raises(IntegrityError, match="frozen"):
            ClientConnection.objects.update(prefix="y/")
        moved = ClientConnection.objects.get()
        moved.bucket = "fourth-bucket"
        with pytest.raises(ValidationError, match="Frozen"):
            moved.full_clean()

    def test_the_external_id_is_shown_and_never_changed(self, chief: Browser, export: Export) -> None:
        one = export.connection
        before = one.external_id
        assert before in text_of(chief, address(ClientConnection, "change", one.pk))
        assert "external_id" not in self.fields(chief, one)
        self.save(chief, one, external_id="forged")
        assert one.external_id == before
        with pytest.raises(IntegrityError, match="external id"):
            ClientConnection.objects.update(external_id="forged")

    def test_why_it_was_enabled_unverified_is_not_staffs_to_write(
        self, chief: Browser, export: Export
    ) -> None:
        self.save(chief, export.connection, unverified_reason="forged")
        assert export.connection.unverified_reason == ""

    def test_a_connection_can_be_added_and_gets_an_external_id_and_a_partition(self, chief: Browser) -> None:
        client = Client.objects.create(name="Acme")
        data = {
            "client": client.pk,
            "name": "by hand",
            "bucket": "acme-billing",
            "region": "eu-central-1",
            "discover_every": "01:00:00",
            "next_discovery_at_0": "2026-03-01",
            "next_discovery_at_1": "00:00:00",
            "external_id": "forged",
        }
        answer = chief.post(address(ClientConnection, "add"), data, secure=True)
        assert answer.status_code == 302, answer.context["errors"]
        made = ClientConnection.objects.get()
        assert re.fullmatch("[0-9a-f-]{36}", made.external_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [f"billing_rawrow_{made.pk}"])
            assert cursor.fetchone() != (None,)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"role_arn": "arn:aws:iam::1:role/x"}, "role_arn"),
            ({"bucket": "Not_A_Bucket"}, "bucket"),
            ({"role_arn": ""}, "role_arn"),
            ({"role_arn": "arn:aws:iam::111122223333:role/another"}, "role_arn"),
            ({"name": "42"}, "name"),
        ],
    )
    def test_a_mistake_is_named_and_nothing_is_saved(
        self, chief: Browser, export: Export, change: dict[str, str], why: str
    ) -> None:
        before = ClientConnection.objects.values().get()
        answer = self.save(chief, export.connection, **change)
        assert answer.status_code == 200
        assert why in answer.context["adminform"].form.errors
        assert ClientConnection.objects.values().get() == before

    @pytest.mark.parametrize("enabled", [True, False])
    def test_a_page_that_is_saved_neither_enables_nor_disables(
        self, chief: Browser, export: Export, enabled: bool
    ) -> None:
        one = export.connection
        AccessCheck.objects.create(connection=one, actor="x", outcome="PASSED", ended_at=timezone.now())
        sent = {**self.fields(chief, one), "enabled": "" if enabled else "on", "name": "renamed"}
        ClientConnection.objects.update(enabled=enabled)  # by a colleague, meanwhile
        chief.post(address(ClientConnection, "change", one.pk), sent, secure=True)
        one.refresh_from_db()
        assert (one.enabled, one.name) == (enabled, "renamed")
        assert list(StaffAction.objects.values_list("action", flat=True)) == ["change connection"]

    @pytest.mark.parametrize(
        ("change", "checks"),
        [({"region": "us-west-2"}, 1), ({"bucket_owner": "1" * 12}, 1), ({"name": "renamed"}, 0)],
    )
    def test_access_is_checked_again_once_what_it_depends_on_is_changed(
        self, chief: Browser, export: Export, change: dict[str, str], checks: int
    ) -> None:
        one = export.connection
        AccessCheck.objects.create(connection=one, actor="x", outcome="PASSED", ended_at=timezone.now())
        assert queue_due_access_checks("schedule") == 0
        assert self.save(chief, one, **change).status_code == 302
        assert AccessCheck.objects.filter(outcome="RUNNING", actor="chief").count() == checks
        assert OrmQ.objects.count() == checks
        AccessCheck.objects.filter(outcome="RUNNING").update(outcome="CRASHED", ended_at=timezone.now())
        assert queue_due_access_checks("schedule") == checks, "until one of these settings has passed"

    def test_both_policies_are_there_to_be_sent(self, chief: Browser, export: Export) -> None:
        text = text_of(chief, address(ClientConnection, "change", export.connection_id))
        assert "arn:aws:iam::444455556666:root" in text
        assert "s3:GetObject" in text

    def test_the_page_opens_where_kcx_has_no_identity(
        self, chief: Browser, export: Export, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.KCX_AWS_ACCOUNT_ID = ""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        text = text_of(chief, address(ClientConnection, "change", export.connection_id))
        assert "KCX_AWS_ACCOUNT_ID" in text


class TestFileList:
    @pytest.mark.parametrize("model", [SourceFile, LoadAttempt, Delivery])
    def test_a_longer_list_takes_no_more_queries(
        self, chief: Browser, export: Export, model: type[Any]
    ) -> None:
        def add(count: int) -> None:
            for number in range(count):
                file = failed(export)
                running(file)
                scope = DeliveryScope.objects.create(export=export, key=file.key)
                a_delivery(scope, file, snapshot=str(number))

        add(5)
        few = queries(chief, address(model))
        add(45)
        assert queries(chief, address(model)) == few

    def test_a_larger_delivery_takes_no_more_queries(self, chief: Browser, export: Export) -> None:
        delivery = a_delivery(a_scope(export), *[a_file(export) for _ in range(5)])
        page = address(Delivery, "change", delivery.pk)
        few = queries(chief, page)
        for _ in range(45):
            delivery.files.add(a_file(export), through_defaults={"last_modified": timezone.now()})
        assert queries(chief, page) == few

    def test_files_are_found_by_key_etag_and_error(self, chief: Browser, export: Export) -> None:
        march = failed(export, key="exports/march.csv", etag='"aa11"')
        april = ingested(export, key="exports/april.csv", etag='"bb22"')
        assert found(chief, q="march") == [march.key]
        assert found(chief, q="bb22") == [april.key]
        assert found(chief, q="corrupt_gzip") == [march.key]
        assert found(chief, q="nothing of it") == []

    def test_attempts_and_receipts_are_found_by_a_whole_key_a_number_or_a_hash(self, chief: Browser) -> None:
        everything = one_of_everything()
        one_of_everything(2, "other")
        attempt, receipt = everything["ingestion.loadattempt"], everything["ingestion.receipt"]
        key = attempt.source_file.key
        for model, term in ((LoadAttempt, key), (LoadAttempt, attempt.pk), (Receipt, key)):
            one = attempt if model is LoadAttempt else receipt
            listed = get(chief, address(model), q=term).context["cl"].result_list
            assert [row.pk for row in listed] == [one.pk], (model, term)
        hashed = get(chief, address(Receipt), q=receipt.sha256).context["cl"].result_list
        assert {row.sha256 for row in hashed} == {receipt.sha256}
        for model in (LoadAttempt, Receipt):
            assert not get(chief, address(model), q=key[:-1]).context["cl"].result_list

    def test_files_are_filtered_by_what_staff_ask(self, chief: Browser, export: Export) -> None:
        other = an_export(a_connection())
        broken = failed(export, key="broken.csv")
        loading = a_file(export, key="loading.csv")
        theirs = ingested(other, key="theirs.csv", billing_period_start="2026-02-01")
        running(loading)
        assert found(chief, status__exact="FAILED") == [broken.key]
        assert found(chief, loading="yes") == [loading.key]
        assert found(chief, period="2026-02-01") == [theirs.key]
        assert found(chief, connection__id__exact=other.connection_id) == [theirs.key]
        assert found(chief, connection__client__id__exact=other.connection.client_id) == [theirs.key]
        assert found(chief) == sorted([broken.key, loading.key, theirs.key])

    def test_files_are_filtered_by_export_error_code_reason_and_no_period(
        self, chief: Browser, export: Export
    ) -> None:
        other = an_export(export.connection)
        broken = failed(export, key="broken.csv")
        failed(other, key="ragged.csv", error_code="ragged_row")
        skipped = a_file(other, key="skipped.csv", status="SKIPPED", skip_reason="GONE")
        undated = a_file(other, key="undated.csv", billing_period_start=None, billing_period_end=None)
        assert found(chief, export=export.pk) == [broken.key]
        assert found(chief, error_code="corrupt_gzip") == [broken.key]
        assert found(chief, skip_reason__exact="GONE") == [skipped.key]
        assert found(chief, period="none") == [undated.key]
        assert found(chief, export="no number") == []

    def test_a_list_of_all_offers_no_other_and_a_narrowed_one_does(
        self, chief: Browser, export: Export
    ) -> None:
        failed(export)
        assert "Show all" not in text_of(chief, address(SourceFile))
        for narrowed in ({"status__exact": "FAILED"}, {"q": "csv"}, {"export": export.pk}):
            assert "Show all" in text_of(chief, address(SourceFile), **narrowed)

    @pytest.mark.parametrize("period", ["hello", "2026-13-01", "", "2026-03-01'--"])
    def test_a_period_that_is_none_is_no_error(self, chief: Browser, export: Export, period: str) -> None:
        a_file(export)
        assert get(chief, address(SourceFile), period=period).status_code in {200, 302}

    def test_a_file_says_what_is_wrong_and_what_to_do(self, chief: Browser, export: Export) -> None:
        failed(export, next_action="Ask the client for a new delivery.")
        a_file(export, status="SKIPPED", skip_reason="ARCHIVED")
        text = text_of(chief, address(SourceFile))
        assert "corrupt_gzip: Cut short." in text
        assert "Ask the client for a new delivery." in text
        assert "In an archive storage class" in text

    def test_a_file_that_is_loading_says_so(self, chief: Browser, export: Export) -> None:
        file = a_file(export)
        assert "Loading now" not in rows_text(chief)
        attempt = running(file)
        assert "Loading now" in rows_text(chief)
        attempt.outcome, attempt.ended_at = "CRASHED", timezone.now() + timedelta(seconds=1)
        attempt.save()
        assert "Loading now" not in rows_text(chief)


def found(browser: Browser, **parameters: object) -> list[str]:
    """The keys the file list shows."""
    answer = get(browser, address(SourceFile), **parameters)
    assert answer.status_code == 200
    return sorted(file.key for file in answer.context["cl"].result_list)


def queries(browser: Browser, page: str) -> int:
    text_of(browser, page)  # what is asked once per process is not the page's
    with CaptureQueriesContext(connection) as captured:
        text_of(browser, page)
    return len(captured)


def rows_text(browser: Browser) -> str:
    """The table of the file list, without the filters beside it."""
    text = text_of(browser, address(SourceFile))
    return "".join(re.findall(r"<tbody.*?</tbody>", text, re.DOTALL))


TIMES = re.compile(r"<time .*?</time>", re.DOTALL)
# As Django tells a time by itself: in English words, or as a datetime prints itself.
UNTAGGED = re.compile(r"\d{1,2} [A-Z][a-z]+ \d{4}, (?:\d|noon|midnight)|\d{4}-\d\d-\d\d[ T]\d\d:\d\d")


def test_times_in_lists_and_on_pages_are_told_in_the_readers_zone_with_utc_on_hover(chief: Browser) -> None:
    everything = one_of_everything()
    person = everything["auth.user"]
    changed = {"username": "renamed", "_save": "Save"}
    assert chief.post(address(User, "change", person.pk), changed, secure=True).status_code == 302
    tagged = set()
    for label, one in everything.items():
        pages = [address(type(one))]
        pages += [address(type(one), page, one.pk) for page in ("change", "history")]
        for page in pages:
            shown = text_of(chief, page)
            # django-axes names a login by its time, and by its zone.
            shown = shown.replace(str(one), "") if label in LOGINS else shown
            assert UNTAGGED.findall(TIMES.sub("", shown)) == [], page
            tagged |= {label} if "UTC</time>" in shown else set()
    assert tagged >= set(everything) - {"ingestion.client", "auth.group", "ingestion.webhookendpoint"}
    assert "UTC</time>" in text_of(chief, address(User, "history", person.pk))


def test_large_numbers_and_bytes_on_the_page_of_one_record_can_be_read(chief: Browser) -> None:
    everything = one_of_everything()
    SourceFile.objects.update(size=1_234_567)
    for label in ("loadattempt", "discoveryrun", "awsuse", "export"):
        one = everything[f"ingestion.{label}"]
        text = text_of(chief, address(type(one), "change", one.pk))
        assert "1.2 MiB" in text or "2.4 MiB" in text, label
        assert "1234567" not in text, label
    run = everything["ingestion.discoveryrun"]
    assert "1,234<" in text_of(chief, address(DiscoveryRun, "change", run.pk)), "objects listed"
    use = everything["ingestion.awsuse"]
    assert "GetObject 1,234,567" in text_of(chief, address(type(use), "change", use.pk))


def test_a_time_that_is_entered_says_that_it_is_utc(chief: Browser, export: Export) -> None:
    assert "Next discovery at (UTC)" in text_of(
        chief, address(ClientConnection, "change", export.connection_id)
    )
