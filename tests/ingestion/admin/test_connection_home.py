"""A connection's home: from what the client is sent to the first discovery, and who may do what there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from ingestion import own_account, tasks
from ingestion.access.check import run_access_check
from ingestion.access.ladder import STEPS
from ingestion.admin.connection_home import BEGUN_AFTER
from ingestion.admin.connection_now import now
from ingestion.models import AccessCheck, Client, ClientConnection, Export, SourceFile, StaffAction
from ingestion.own_account import account_by_identity
from ingestion.queueing import queue_discovery
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.faulty_s3 import Answer, FaultyAws, Wire, stall
from tests.kcx.situations import a_worker
from tests.processes import python
from tests.refusing_s3 import refusing
from tests.staff import browser_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/file.csv.gz"
# Seconds; a statement that waits for a load's lock is ended after 5.
SOON = 2
LOAD_INSIDE_COPY = """
from ingestion.pipeline import run
def report(rows, bytes_read):
    print("inside COPY", flush=True)
    input()
run.load({file}, "slow", report)
"""


@pytest.fixture
def client(aws: SimulatedAws, raw_database: None) -> ClientUnderTest:
    """A client whose connection is not enabled yet, with one export in the bucket."""
    made = new_client(aws, enable=False)
    made.account.put_object(KEY, csv_gz("a,b\n1,2\n"))
    return made


def home(browser: Browser, client: ClientUnderTest) -> str:
    return text_of(browser, client, "home")


def text_of(browser: Browser, client: ClientUnderTest, page: str) -> str:
    answer = browser.get(address(client, page), secure=True)
    assert answer.status_code == 200
    return answer.content.decode()


def address(client: ClientUnderTest, page: str, *more: str) -> str:
    return reverse(f"admin:ingestion_clientconnection_{page}", args=[client.connection.pk, *more])


def refuse(wire: Wire, _answer: Answer) -> None:
    """As STS answers whom it does not know."""
    error = b"<Error><Code>InvalidClientTokenId</Code><Message>No such key</Message></Error>"
    body = b"<ErrorResponse>" + error + b"</ErrorResponse>"
    headers = {"Content-Type": "text/xml", "Content-Length": str(len(body))}
    told = Answer(403, headers, body)
    wire.send(told.head + told.body)


def do(browser: Browser, client: ClientUnderTest, what: str, **data: object) -> HttpResponse:
    return browser.post(address(client, "act", what), data, secure=True)


def run_queue() -> None:
    while queued := OrmQ.objects.order_by("id").first():
        queued.delete()
        getattr(tasks, queued.task["func"].rpartition(".")[2])(*queued.task["args"])


@contextmanager
def a_load_inside_copy(file: SourceFile) -> Iterator[None]:
    with python(LOAD_INSIDE_COPY.format(file=file.pk)) as loader:
        assert loader.stdout
        assert loader.stdout.readline() == "inside COPY\n"
        yield


def test_kcxs_own_account_is_asked_for_once_however_many_pages_show_it(
    client: ClientUnderTest, wire: FaultyAws
) -> None:
    account_by_identity.cache_clear()  # as in a process that has just begun
    onboarder = browser_of("onboarder")
    for _ in range(2):
        assert "arn:aws:iam::999900001111:root" in home(onboarder, client)
    assert onboarder.get(address(client, "change"), secure=True).status_code == 200
    assert len(wire.asked("AssumeRole")) == 1, "as the wire calls every request to STS"


@pytest.mark.parametrize("page", ["home", "change"])
def test_a_page_asks_once_where_sts_refuses_and_the_next_page_asks_again(
    client: ClientUnderTest, wire: FaultyAws, page: str
) -> None:
    account_by_identity.cache_clear()
    onboarder = browser_of("onboarder")
    wire.ever["AssumeRole"] = refuse
    for _ in range(2):
        assert "Set KCX_AWS_ACCOUNT_ID" in text_of(onboarder, client, page)
    assert len(wire.asked("AssumeRole")) == 2
    wire.heal()
    assert "arn:aws:iam::999900001111:root" in text_of(onboarder, client, page)


def test_where_sts_is_silent_the_home_opens_soon_and_says_so(
    client: ClientUnderTest, wire: FaultyAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_by_identity.cache_clear()
    monkeypatch.setattr(own_account, "SECONDS", 0.5)
    wire.ever["AssumeRole"] = stall()
    text = home(browser_of("onboarder"), client)
    assert "STS did not answer within 0.5 s." in text
    assert "Set KCX_AWS_ACCOUNT_ID" in text


def test_from_nothing_to_the_first_rows(client: ClientUnderTest) -> None:
    onboarder = browser_of("onboarder")
    text = home(onboarder, client)
    assert client.connection.external_id in text
    assert "Not checked" in text
    do(onboarder, client, "start")
    assert not ClientConnection.objects.get().enabled, "only what is verified is enabled"
    assert "Verify access first" in home(onboarder, client)

    do(onboarder, client, "verify")
    assert "hx-trigger" in home(onboarder, client), "the ladder is asked for again while it runs"
    run_queue()
    text = home(onboarder, client)
    assert AccessCheck.objects.get().outcome == "PASSED"
    assert "Access works" in text
    assert "Not tested, as KCX never tries it: writing, deleting" in text
    assert 'hx-trigger="every 1s"' not in text

    do(onboarder, client, "discover")
    run_queue()
    assert "Look what is there" in home(onboarder, client)
    export = Export.objects.get()
    assert not client.rows(KEY), "the plan loads nothing"
    do(onboarder, client, "start", **{f"decision-{export.pk}": "LOAD"})
    run_queue()
    assert client.rows(KEY) == [["1", "2"]]
    done = StaffAction.objects.filter(actor="onboarder").order_by("pk").values_list("action", flat=True)
    assert list(done) == ["check access", "discover", "export: load", "enable", "discover"]
    do(onboarder, client, "stop")
    assert not ClientConnection.objects.get().enabled


def saved_as(browser: Browser, client: ClientUnderTest, **changed: object) -> bool:
    """Save the connection's form with these changes; was it done?"""
    path = reverse("admin:ingestion_clientconnection_change", args=[client.connection.pk])
    form = browser.get(path, secure=True).context["adminform"].form
    fields = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: value for name, value in fields.items() if value not in (None, False)}
    due = sent.pop("next_discovery_at")
    sent |= {"next_discovery_at_0": f"{due:%Y-%m-%d}", "next_discovery_at_1": f"{due:%H:%M:%S}"}
    assert browser.post(path, {**sent, **changed}, secure=True).status_code == 302
    return ClientConnection.objects.filter(pk=client.connection.pk, **changed).exists()


def test_decisions_are_saved_together_and_only_those_that_changed(
    client_under_test: ClientUnderTest,
) -> None:
    client = client_under_test
    client.account.put_object(KEY, csv_gz("a\n1\n"))
    client.discover()
    export = Export.objects.get()
    onboarder = browser_of("onboarder")
    for decision in ("LOAD", "IGNORE", "IGNORE"):
        do(onboarder, client, "decide", **{f"decision-{export.pk}": decision})
        assert Export.objects.get().decision == decision
    do(onboarder, client, "decide", **{f"decision-{export.pk}": "PURGE"})
    assert Export.objects.get().decision == "IGNORE", "a choice that the page never offers changes nothing"
    done = StaffAction.objects.filter(actor="onboarder").values_list("action", flat=True)
    assert list(done) == ["export: do not load"]


def test_a_failed_rung_says_cause_and_remedy_and_is_mended(client: ClientUnderTest, settings: object) -> None:
    settings.KCX_IAM_SECONDS = 0  # type: ignore[attr-defined]
    onboarder = browser_of("onboarder")
    client.account.delete_role()
    do(onboarder, client, "verify")
    run_queue()
    text = home(onboarder, client)
    assert "Access check failed" in text
    assert "What to do" in text


@pytest.mark.parametrize("group", ["viewer", "operator"])
def test_who_may_only_look_is_shown_no_button_and_a_forged_one_is_refused(
    client: ClientUnderTest, group: str
) -> None:
    browser = browser_of(group)
    text = home(browser, client)
    for button in ("Verify access</button>", "Approve and start", "Save decisions", "Disable</button>"):
        assert button not in text
    assert "Look what is there</button>" not in text, "not through a role that was not verified"
    do(browser_of("onboarder"), client, "verify")
    run_queue()
    assert ("Look what is there</button>" in home(browser, client)) == (group == "operator")
    for what in ("verify", "start", "stop", "decide"):
        assert do(browser, client, what).status_code == 403
    assert do(browser, client, "discover").status_code == (302 if group == "operator" else 403)
    assert not AccessCheck.objects.filter(actor=group).exists()


@pytest.mark.parametrize("part", ["ladder", "now"])
def test_a_part_that_is_asked_for_again_and_again_brings_no_login_into_the_page(
    client: ClientUnderTest, part: str
) -> None:
    answer = Browser().get(address(client, part), secure=True)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (403, "true")


def test_the_ladder_shows_the_rungs_that_are_done_while_the_check_goes_on(client: ClientUnderTest) -> None:
    rungs = [
        {"code": step.code, "title": step.title, "verdict": "passed", "told": f"told {number}"}
        for number, step in enumerate(STEPS[:3])
    ]
    check = AccessCheck.objects.create(connection=client.connection, actor="anna", rungs=rungs)
    viewer = browser_of("viewer")
    answer = viewer.get(address(client, "ladder"), secure=True)
    text = answer.content.decode()
    assert "3 of 10 rungs done." in text
    assert [f"told {number}" in text for number in range(4)] == [True, True, True, False]
    assert "No worker" not in text, "somebody does it"
    assert 'hx-trigger="every 1s' in text
    assert "HX-Refresh" not in answer.headers
    AccessCheck.objects.filter(pk=check.pk).update(outcome="PASSED", ended_at=timezone.now())
    answer = viewer.get(address(client, "ladder"), secure=True)
    assert answer.headers["HX-Refresh"] == "true"


def test_a_check_that_nobody_begins_may_be_asked_for_again(client: ClientUnderTest) -> None:
    browser, button = browser_of("onboarder"), "Verify access</button>"
    do(browser, client, "verify")
    assert button not in home(browser, client)
    OrmQ.objects.all().delete()
    AccessCheck.objects.update(started_at=timezone.now() - BEGUN_AFTER)
    assert button in home(browser, client)
    do(browser, client, "verify")
    run_queue()
    assert AccessCheck.objects.get().outcome == "PASSED"


def test_a_check_that_broke_off_is_told_beside_the_older_one_that_counts(
    client: ClientUnderTest, at_once: None
) -> None:
    browser = browser_of("onboarder")
    run_access_check(client.connection.pk, "anna")
    assert "broke off" not in home(browser, client)
    with refusing({KEY: ("SlowDown", "Please reduce your request rate.")}):
        run_access_check(client.connection.pk, "anna")
    text = home(browser, client)
    assert "Access works, and nothing beyond" in text
    assert "The last check broke off" in text
    assert "Please reduce your request rate." in text
    AccessCheck.objects.create(
        connection=client.connection, actor="x", outcome="CRASHED", ended_at=timezone.now()
    )
    assert "No worker began it." in home(browser, client)


@pytest.mark.parametrize(("what", "part"), [("verify", "ladder"), ("discover", "now")])
def test_what_waits_says_that_no_worker_takes_it_or_what_is_before_it(
    client: ClientUnderTest, what: str, part: str
) -> None:
    run_access_check(client.connection.pk, "anna")
    browser = browser_of("onboarder")
    for number in (-1, -2):
        queue_discovery(number)
    do(browser, client, what)
    assert "No worker takes tasks" in text_of(browser, client, part)
    a_worker()
    text = text_of(browser, client, part)
    assert "No worker takes tasks" not in text
    assert "It waits behind 2 tasks." in text
    OrmQ.objects.first().delete()
    assert "It waits behind 1 task." in text_of(browser, client, part)


def test_only_a_post_does_anything(client: ClientUnderTest) -> None:
    onboarder = browser_of("onboarder")
    for what in ("verify", "discover", "start", "stop", "decide"):
        assert onboarder.get(address(client, "act", what), secure=True).status_code == 405
    assert do(onboarder, client, "purge").status_code == 404
    assert not StaffAction.objects.filter(actor="onboarder").exists()


def test_every_text_for_the_client_is_shown_and_downloaded(client: ClientUnderTest) -> None:
    viewer = browser_of("viewer")
    names = {"trust-policy", "permission-policy", "cloudformation", "terraform", "aws-cli", "client-page"}
    text = home(viewer, client)
    for name in names:
        assert f'id="text-{name}"' in text
        answer = viewer.get(address(client, "artefact", name), secure=True)
        assert "attachment; filename=" in answer["Content-Disposition"]
        assert client.account.bucket in answer.content.decode() or name == "trust-policy"
    assert viewer.get(address(client, "artefact", "passwords"), secure=True).status_code == 404


def test_no_page_waits_for_a_load_and_a_connection_is_saved_and_disabled_beside_it(
    client_under_test: ClientUnderTest,
) -> None:
    client = client_under_test
    client.account.put_object(KEY, csv_gz("a\n" + "1\n" * 1000))
    client.discover()
    onboarder = browser_of("onboarder")
    with a_load_inside_copy(client.file(KEY)):
        home(onboarder, client)
        told = now(client.connection)
        assert (told["waiting"], told["loading"]) == (0, 1)
        for page in pages_beside(client):
            begun = time.monotonic()
            assert onboarder.get(page, secure=True).status_code == 200, page
            assert time.monotonic() - begun < SOON, page
        for what in ("verify", "discover", "decide", "stop", "start"):
            begun = time.monotonic()
            assert do(onboarder, client, what).status_code == 302
            assert time.monotonic() - begun < SOON, what
        begun = time.monotonic()
        assert saved_as(onboarder, client, name="renamed beside a load")
        entered = {"new_client": "Beside", "bucket": "beside-a-load", "prefix": "", "region": "eu-central-1"}
        add = reverse("admin:ingestion_clientconnection_add")
        assert onboarder.post(add, entered, secure=True).status_code == 302
        owner = client.connection.client
        path = reverse("admin:ingestion_client_change", args=[owner.pk])
        assert onboarder.post(path, {"name": owner.name}, secure=True).status_code == 302
        assert time.monotonic() - begun < 3 * SOON
    assert not ClientConnection.objects.get(pk=client.connection.pk).enabled
    assert not Client.objects.get(pk=owner.pk).enabled
    assert ClientConnection.objects.filter(bucket="beside-a-load").exists()


def pages_beside(client: ClientUnderTest) -> list[str]:
    """Whatever staff open: none of them may wait for the load."""
    lists = ("client", "clientconnection", "export", "sourcefile", "delivery", "loadattempt", "discoveryrun")
    file, connection = client.file(KEY).pk, client.connection.pk
    return [
        reverse("admin:index"),
        "/admin/coverage/",
        *(reverse(f"admin:ingestion_{model}_changelist") for model in lists),
        reverse("admin:ingestion_clientconnection_change", args=[connection]),
        reverse("admin:ingestion_clientconnection_transparency", args=[connection]),
        reverse("admin:ingestion_sourcefile_change", args=[file]),
        reverse("admin:ingestion_sourcefile_rows", args=[file]),
    ]
