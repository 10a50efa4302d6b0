"""The transparency page tells what AWS saw: compared with the requests that reached it over the wire."""

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse

from ingestion.access.check import run_access_check
from ingestion.admin import transparency
from ingestion.decisions import decide
from ingestion.events.endpoints import save
from ingestion.models import AwsUse, Export, SourceFile, StaffAction, WebhookEndpoint
from ingestion.staff_actions import record
from ingestion.transparency import Period, days, months
from ingestion.verification.verify import verify_file
from kcx.api.models import ServiceUser
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, answering, cut
from tests.ingestion.registered import a_connection, an_export
from tests.staff import browser_of

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

BAD_NAME = "exports/<script>alert(1)</script>.csv.gz"
TODAY = datetime.now(UTC).date()


def page_of(client: ClientUnderTest, **query: str) -> str:
    address = reverse("admin:ingestion_clientconnection_transparency", args=[client.connection.pk])
    answer = browser_of("viewer").get(address, query, secure=True)
    assert answer.status_code == 200
    return b"".join(answer).decode() if answer.streaming else answer.content.decode()


def counted(uses: list[AwsUse]) -> Counter[str]:
    return Counter({name: sum(use.calls.get(name, {}).get("sent", 0) for use in uses) for name in NAMES})


NAMES = ("AssumeRole", "ListObjectsV2", "GetObject", "HeadObject")


def test_every_request_that_aws_saw_is_written_down(
    client_under_test: ClientUnderTest, wire: FaultyAws
) -> None:
    client_under_test.account.put_object(BAD_NAME, csv_gz("n\n" + "a long line\n" * 5000))
    wire.script("GetObject", cut(20), answering(503, "SlowDown"))
    wire.requests.clear()
    client_under_test.ingest()
    file = SourceFile.objects.get()
    verify_file(file.pk, "operator", against_s3=True)
    uses = list(AwsUse.objects.order_by("id"))
    assert [use.kind for use in uses] == ["Discovery", "Load", "Verification"]
    assert counted(uses) == Counter({name: len(wire.asked(name)) for name in NAMES})
    load = uses[1]
    assert load.session_name == f"kcx-c{client_under_test.connection.pk}-a{file.attempts.get().pk}"
    assert load.calls["GetObject"] == {"sent": 3, "refused": 1}
    assert load.bytes_received >= file.size
    [day] = days(client_under_test.connection.pk, Period(TODAY, TODAY))
    assert {name: day.calls[name].sent for name in NAMES} == counted(uses)
    [month] = months([day])
    assert (month.runs, month.bytes_received) == (3, sum(use.bytes_received for use in uses))


def test_an_access_check_tells_the_calls_that_had_to_be_refused(client_under_test: ClientUnderTest) -> None:
    run_access_check(client_under_test.connection.pk, "onboarder")
    [use] = AwsUse.objects.all()
    assert (use.kind, use.actor) == ("Access check", "onboarder")
    assert use.calls["AssumeRole"]["refused"] == 2
    assert {"ListObjectsV2", "GetBucketLocation"} & set(use.calls)


def test_a_run_that_fails_is_told(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object("exports/a.csv.gz", b"no gzip\x00")
    client_under_test.ingest()
    file = SourceFile.objects.get()
    assert file.status == SourceFile.Status.FAILED
    use = AwsUse.objects.get(run=f"a{file.attempts.get().pk}")
    assert use.calls["GetObject"]["sent"] == 1
    assert "Not complete" not in page_of(client_under_test)


def test_the_page_is_read_by_viewers_and_escapes_what_is_hostile(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object(BAD_NAME, csv_gz("n\n1\n"))
    client_under_test.ingest()
    StaffAction.objects.create(
        connection=client_under_test.connection, actor="<b>", action="retry", reason="<i>why"
    )
    page = page_of(client_under_test)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert "&lt;i&gt;why" in page
    assert client_under_test.connection.external_id not in page


def test_a_run_tells_by_which_names_aws_knows_its_session_and_its_last_requests(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object("exports/a.csv.gz", csv_gz("n\n1\n"))
    (attempt,) = client_under_test.ingest()
    use = AwsUse.objects.get(run=f"a{attempt.pk}")
    role = client_under_test.connection.role_arn.rpartition("/")[2]
    assert use.session_arn.endswith(f":assumed-role/{role}/{use.session_name}")
    assert set(use.request_ids) == {"AssumeRole", "GetObject"}
    assert all(ids["answered"] for ids in use.request_ids.values())
    head, *rows = csv.reader(page_of(client_under_test, format="csv").splitlines())
    (row,) = [named for row in rows if (named := dict(zip(head, row, strict=True)))["what"] == "Load"]
    assert row["session_arn"] == use.session_arn
    assert use.request_ids["GetObject"]["answered"] in row["request_ids"]


def test_a_refused_request_is_named(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object("exports/a.csv.gz", csv_gz("n\n1\n"))
    client_under_test.discover()
    client_under_test.account.delete_object("exports/a.csv.gz")
    (attempt,) = client_under_test.load_all()
    ids = AwsUse.objects.get(run=f"a{attempt.pk}").request_ids["GetObject"]
    assert ids["refused"]
    assert "answered" not in ids


def test_what_staff_did_is_told_whole_by_csv(
    client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transparency, "ACTIONS_TOLD", 2)
    for number in range(5):
        record("Olga", "discover", connection=client_under_test.connection, reason=f"=why {number}")
    text = " ".join(page_of(client_under_test).split())
    assert "=why 4" in text
    assert "=why 1" not in text
    assert "are in the CSV" in text
    head, *rows = csv.reader(page_of(client_under_test, format="staff-csv").splitlines())
    told = [dict(zip(head, row, strict=True))["reason"] for row in rows]
    assert {f"'=why {number}" for number in range(5)} <= set(told)


def test_a_client_that_is_disabled_is_told_on_each_of_its_connections(
    client_under_test: ClientUnderTest, admin_client: Browser
) -> None:
    client = client_under_test.connection.client
    page = reverse("admin:ingestion_client_change", args=[client.pk])
    assert admin_client.post(page, {"name": client.name}, secure=True).status_code == 302
    assert "disable client" in page_of(client_under_test)


def test_every_run_can_be_had_as_csv_without_formulas(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object("exports/a.csv.gz", csv_gz("n\n1\n"))
    client_under_test.ingest()
    AwsUse.objects.create(
        connection=client_under_test.connection,
        run="r1",
        actor="=cmd()",
        started_at=datetime.now(UTC),
        ended_at=datetime.now(UTC),
        calls={"GetObject": {"sent": 2, "refused": 1}},
        bytes_received=7,
    )
    head, newest, *others = csv.reader(page_of(client_under_test, format="csv").splitlines())
    row = dict(zip(head, newest, strict=True))
    assert (row["what"], row["asked_by"], row["calls"]) == ("One row read again", "'=cmd()", "GetObject:2/1")
    assert len(others) == 2


def test_a_first_run_of_the_day_that_ends_while_the_page_is_made_breaks_nothing(
    client_under_test: ClientUnderTest,
) -> None:
    of_connection = client_under_test.connection

    def a_run_ends_after(execute: Callable[..., Any], *statement: Any) -> Any:
        answer = execute(*statement)
        AwsUse.objects.using("progress").get_or_create(
            connection_id=of_connection.pk,
            run="d1",
            defaults={
                "actor": "schedule",
                "started_at": datetime.now(UTC),
                "ended_at": datetime.now(UTC),
                "calls": {"ListObjectsV2": {"sent": 1, "refused": 0}},
                "bytes_received": 1,
            },
        )
        return answer

    with connection.execute_wrapper(a_run_ends_after):
        assert days(of_connection.pk, Period(TODAY, TODAY)) == []
    [day] = days(of_connection.pk, Period(TODAY, TODAY))
    assert (day.runs, day.calls["ListObjectsV2"].sent) == (1, 1)


def test_another_time_shows_nothing(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.discover()
    page = page_of(client_under_test, **{"from": "2001-01-01", "to": "2001-02-01"})
    assert "KCX asked nothing in this time" in page


def test_nonsense_in_the_address_shows_the_month(client_under_test: ClientUnderTest) -> None:
    client_under_test.discover()
    page = page_of(client_under_test, **{"from": "0000-99-99", "to": "9999-12-31", "page": "x"})
    assert "ListObjectsV2" in page


def test_what_was_changed_is_told_before_and_after(client_under_test: ClientUnderTest) -> None:
    of_connection = client_under_test.connection
    export = an_export(of_connection, name="<lines>", decision=Export.Decision.AWAITING)
    decide(export, Export.Decision.LOAD, "Olga")
    detail = {"role_arn": {"before": "", "after": "arn:new"}}
    record("Olga", "change connection", connection=of_connection, detail=detail)
    page = page_of(client_under_test)
    assert "before: AWAITING; export: &lt;lines&gt;" in page
    assert "role_arn: nothing -&gt; arn:new" in page


def test_what_concerns_the_client_as_a_whole_is_told_and_what_concerns_others_is_not(
    client_under_test: ClientUnderTest, admin_client: Browser
) -> None:
    client = client_under_test.connection.client
    page = reverse("admin:ingestion_client_change", args=[client.pk])
    renamed = {"name": "Renamed", "enabled": "on"}
    assert admin_client.post(page, renamed, secure=True).status_code == 302
    other = a_connection().client
    for name, of in (("mine", client), ("theirs", other)):
        save(WebhookEndpoint(name=name, client=of, url="https://a.example/"), "Olga", {})
    user = ServiceUser.objects.create(name="bi", scope=ServiceUser.Scope.NAMED)
    user.clients.set([client])
    token = reverse("admin:api_token_add")
    assert admin_client.post(token, {"user": user.pk, "days": 90}, secure=True).status_code == 200
    text = page_of(client_under_test)
    for told in ("change client", "Renamed", "webhook: mine", "make API token"):
        assert told in text
    assert "theirs" not in text
    assert "client_ids" not in text


def test_who_may_read_two_clients_is_told_to_each_of_them_without_the_other(
    client_under_test: ClientUnderTest, admin_client: Browser
) -> None:
    own, other = client_under_test.connection.client, a_connection().client
    form = {"name": "both", "scope": "NAMED", "enabled": "on"}
    make, change = reverse("admin:api_serviceuser_add"), "admin:api_serviceuser_change"
    assert admin_client.post(make, {**form, "clients": [own.pk, other.pk]}, secure=True).status_code == 302
    user = ServiceUser.objects.get()
    of_other = {**form, "clients": [other.pk]}
    assert admin_client.post(reverse(change, args=[user.pk]), of_other, secure=True).status_code == 302
    for text in (page_of(client_under_test), page_of(client_under_test, format="staff-csv")):
        assert "make API service user" in text
        assert "change API service user" in text, "it may read this client no more, and its page says so"
        assert other.name not in text
        assert "client_ids" not in text
    assert StaffAction.objects.get(action="make API service user").detail["after"]["clients"] == [
        own.name,
        other.name,
    ], "the record itself holds all"


def test_paper_says_that_it_holds_the_newest_runs_only(
    client_under_test: ClientUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_under_test.discover()
    assert "all of them are in the CSV" not in page_of(client_under_test)
    monkeypatch.setattr(transparency, "RUNS_A_PAGE", 2)
    for _ in range(2):
        client_under_test.discover()
    assert "Here are runs 1 to 2 of 3, the newest first; all of them are in the CSV." in page_of(
        client_under_test
    )


def test_what_sessions_may_is_told_with_its_prefix_and_every_refusal_that_should_be_is_named(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object("exports/a.csv.gz", csv_gz("n\n1\n"))
    run_access_check(client_under_test.connection.pk, "Olga")
    refused = {name: one["refused"] for name, one in AwsUse.objects.get().calls.items() if one["refused"]}
    assert refused == {"AssumeRole": 2, "HeadBucket": 1, "ListBuckets": 1, "ListObjectsV2": 2}
    page = page_of(client_under_test)
    bucket = client_under_test.account.bucket
    assert f"s3:ListBucket on arn:aws:s3:::{bucket}, of names like exports/* only" in page
    for told in ("without the external id and with a wrong one", "(HeadBucket)", "an empty one"):
        assert told in page
