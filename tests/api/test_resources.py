"""What the resources tell, narrowed as they are asked; and what a cache may keep of it."""

from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.models import Delivery, LoadAttempt, SourceFile
from tests.api.asking import of_all, of_clients
from tests.api.test_scope import lists
from tests.api.world import a_world
from tests.ingestion.registered import a_connection, a_file, an_export, become_ingested, failed

pytestmark = pytest.mark.django_db


def ids(answer: list[Any]) -> set[int]:
    return {one["id"] for one in answer}


def test_a_file_tells_what_became_of_it() -> None:
    world = a_world()
    told = of_all().ask(f"files/{world.file.pk}/").json()
    assert (told["status"], told["rows"], told["billing_period_start"]) == ("INGESTED", 0, "2026-03-01")
    assert told["columns"] == [{"name": "a", "type": "string"}]
    assert told["layout_sha256"] == world.file.layout.digest
    (broken,) = of_all().results("files/", status="FAILED")
    assert (broken["error_code"], broken["layout_sha256"]) == ("corrupt_gzip", None)
    assert of_all().ask(f"files/{broken['id']}/").json()["columns"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "INGESTED"}, "file"),
        ({"status": "FAILED"}, "broken"),
        ({"status": "NEW"}, ""),
        ({"period": "2026-03", "status": "INGESTED"}, "file"),
        ({"period": "2026-04"}, ""),
    ],
)
def test_files_are_found_by_status_and_period(query: dict[str, str], found: str) -> None:
    world = a_world()
    names = {"file": {world.file.pk}, "broken": world.ids["files"] - {world.file.pk}, "": set()}
    assert ids(of_all().results("files/", **query)) == names[found]


def test_files_are_found_by_their_export_connection_and_delivery() -> None:
    world, _other = a_world(), a_world()
    assert ids(of_all().results("files/", export=world.export.pk)) == world.ids["files"]
    assert ids(of_all().results("files/", connection=world.connection.pk)) == world.ids["files"]
    assert ids(of_all().results("files/", delivery=world.current.pk)) == {world.file.pk}


def test_a_file_of_which_something_else_is_told_is_found_as_changed() -> None:
    export = an_export(a_connection())
    for _ in range(2):
        a_file(export)
    long_ago = timezone.now() - timedelta(days=1)
    SourceFile.objects.update(changed_at=long_ago)
    file = SourceFile.objects.latest("pk")

    def changed() -> set[int]:
        return ids(of_all().results("files/", changed_since=(long_ago + timedelta(hours=1)).isoformat()))

    assert changed() == set()
    SourceFile.objects.update(queued_at=timezone.now(), requested_by="somebody")
    assert changed() == set(), "the queue's own notes say nothing of a file"
    SourceFile.objects.filter(pk=file.pk).update(status="SKIPPED", skip_reason="UNLISTED")
    assert changed() == {file.pk}
    SourceFile.objects.filter(pk=file.pk).update(changed_at=long_ago)
    become_ingested(SourceFile.objects.get(pk=file.pk))
    assert changed() == {file.pk}


@pytest.mark.parametrize(
    "code", ["internal_error", "database_error", "database_not_ready", "database_unavailable"]
)
def test_messages_that_may_hold_anything_stay_inside(code: str) -> None:
    export = an_export(a_connection())
    told = {"error_code": code, "error_message": "row: 1,2,secret"}
    file = failed(export, **told)
    LoadAttempt.objects.create(
        source_file=file, actor="a", worker="w", outcome="FAILED", ended_at=timezone.now(), **told
    )
    for address in ("files/", f"files/{file.pk}/", "attempts/"):
        answer = of_all().ask(address).content.decode()
        assert code in answer
        assert "secret" not in answer
    a_file(export, status="FAILED", error_code="ragged_row", error_message="Row 17 has 12 cells.", failures=1)
    assert "Row 17 has 12 cells." in of_all().ask("files/").content.decode()


def test_deliveries_are_found_by_status_period_and_change() -> None:
    world = a_world()
    long_ago = timezone.now() - timedelta(days=9)
    Delivery.objects.filter(pk=world.current.pk).update(first_seen_at=long_ago, published_at=long_ago)
    found = {"changed_since": (timezone.now() - timedelta(days=1)).isoformat()}
    assert ids(of_all().results("deliveries/", **found)) == {world.former.pk}
    assert ids(of_all().results("deliveries/", status="CURRENT", period="2026-03")) == {world.current.pk}
    assert of_all().results("deliveries/", period="2026-02") == []


def test_a_restatement_tells_what_changed() -> None:
    world = a_world()
    (told,) = of_all().results("restatements/", period="2026-03", export=world.export.pk)
    assert (told["delivery"], told["against_delivery"]) == (world.current.pk, world.former.pk)
    assert (told["files_changed"], told["columns_came"]) == (["part-1.csv.gz"], ["tag"])
    assert (told["rows_before"], told["rows_after"]) == (3, 4)


def test_coverage_tells_each_billing_period() -> None:
    world = a_world()
    told = of_all().ask(f"coverage/{world.export.pk}/").json()
    assert told["periods"][-1] == {
        "billing_period_start": "2026-03-01",
        "coverage": "RESTATED",
        "detail": "once",
    }
    assert {period["coverage"] for period in told["periods"][:-1]} <= {"MISSING", "NOT_YET"}
    assert of_all().results("coverage/") == [told]


def test_a_chain_of_receipts_can_be_checked_by_whoever_reads_it() -> None:
    world = a_world()
    previous = "0" * 64
    for receipt in of_all().results("receipts/", connection=world.connection.pk):
        assert receipt["previous_sha256"] == previous
        previous = sha256(f"{previous}\n{receipt['body']}".encode()).hexdigest()
        assert receipt["sha256"] == previous
    assert previous != "0" * 64


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("receipts/{receipt}/", "private, max-age=31536000, immutable"),
        ("deliveries/{former}/", "private, max-age=31536000, immutable"),
        ("restatements/{current}/", "private, max-age=31536000, immutable"),
        ("deliveries/{current}/", "private, no-cache"),
        ("files/{file}/", "private, no-cache"),
    ],
)
def test_what_the_asker_has_already_is_not_sent_again(address: str, kept: str) -> None:
    world = a_world()
    names = {"receipt": min(world.ids["receipts"]), "former": world.former.pk}
    address = address.format(current=world.current.pk, file=world.file.pk, **names)
    first = of_all().ask(address)
    assert first["Cache-Control"] == kept
    assert "Authorization" in first["Vary"]
    for known in (first["ETag"], f"W/{first['ETag']}", f'"x", {first["ETag"]}', "*"):
        again = of_all().ask(address, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert again["Cache-Control"] == kept
    assert of_all().ask(address, headers={"If-None-Match": '"x"'}).status_code == 200
    stranger = of_clients().ask(address, headers={"If-None-Match": first["ETag"]})
    assert stranger.status_code == 404, "an ETag opens nothing"


def test_a_file_that_changed_is_sent_again() -> None:
    world = a_world()
    address = f"files/{world.file.pk}/"
    known = of_all().ask(address)["ETag"]
    SourceFile.objects.filter(pk=world.file.pk).update(row_count=7)
    again = of_all().ask(address, headers={"If-None-Match": known})
    assert (again.status_code, again.json()["rows"]) == (200, 7)


@pytest.mark.parametrize("address", lists())
def test_a_list_costs_as_many_queries_however_long_it_is(address: str) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert asker.ask(address).status_code == 200
        return len(captured)

    worlds = [a_world()]
    asker = of_clients(worlds[0].connection.client)
    queries()  # a token's first use within a minute is written down
    few = queries()
    for _ in range(5):
        worlds.append(a_world())
        failed(worlds[0].export)
    asker = of_clients(*(world.connection.client for world in worlds))
    assert len(asker.results(address)) >= 6
    assert queries() == few <= 7
