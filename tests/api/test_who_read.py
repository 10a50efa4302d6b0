"""Who took a client's rows out is kept: downloads and exports by name, a token's last use."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from ingestion.management.checking import actor
from ingestion.models import StaffAction
from kcx.api.models import Token
from tests.api.asking import of_all
from tests.builders import ClientUnderTest, csv_gz
from tests.read_only import read_only_database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/a.csv.gz"


@pytest.fixture
def client(client_under_test: ClientUnderTest) -> ClientUnderTest:
    client_under_test.account.put_object(KEY, csv_gz("id,name\n1,a\n2,b\n"))
    client_under_test.ingest()
    return client_under_test


def noted() -> list[tuple[str, str, object, object]]:
    """Actor, action, connection and rows of what was noted."""
    found = StaffAction.objects.filter(action__in=["download by the API", "export"]).order_by("pk")
    return [(one.actor, one.action, one.connection_id, one.detail["rows"]) for one in found]


def test_a_download_is_kept_with_its_token(client: ClientUnderTest) -> None:
    asker, file = of_all(), client.file(KEY)
    assert b"".join(asker.ask(f"files/{file.pk}/download/", columns="name").streaming_content)
    token = Token.objects.get()
    assert noted() == [(token.user.name, "download by the API", client.connection.pk, 2)]
    told = StaffAction.objects.get(action="download by the API").detail
    assert (told["token"], told["columns"], told["format"]) == (str(token), 1, "csv")
    assert told["what"] == f"file {file.pk}"


def test_what_gives_no_rows_out_is_no_download(client: ClientUnderTest) -> None:
    asker, address = of_all(), f"files/{client.file(KEY).pk}"
    assert asker.ask(f"{address}/download/", "HEAD").status_code == 200
    assert asker.ask(f"{address}/receipt/").status_code == 200
    assert asker.ask(f"{address}/download/", columns="none").status_code == 400
    assert asker.ask("files/0/download/").status_code == 404
    assert noted() == []


def test_an_export_is_kept_with_who_is_at_the_shell(client: ClientUnderTest, tmp_path: Path) -> None:
    file = str(client.file(KEY).pk)
    call_command("export", "--file", file, "--format", "csv", "--output", str(tmp_path / "a.csv"))
    assert noted() == [(actor(), "export", client.connection.pk, 2)]


def test_an_export_that_finds_its_file_there_already_gives_no_rows_out(
    client: ClientUnderTest, tmp_path: Path
) -> None:
    target, file = tmp_path / "a.csv", str(client.file(KEY).pk)
    target.write_bytes(b"mine")
    with pytest.raises(CommandError, match="is there already"):
        call_command("export", "--file", file, "--format", "csv", "--output", str(target))
    assert noted() == []


def test_where_nothing_can_be_written_the_api_is_read_all_the_same_but_nothing_is_downloaded(
    client: ClientUnderTest,
) -> None:
    asker, file = of_all(), client.file(KEY)
    with read_only_database():
        assert asker.ask(f"files/{file.pk}/rows/").json()["results"]
        assert asker.ask(f"files/{file.pk}/download/").status_code == 500
    assert noted() == []


def test_a_tokens_last_use_is_kept_to_the_minute(client: ClientUnderTest) -> None:
    asker = of_all()
    assert Token.objects.get().last_used_at is None
    asker.ask("clients/")
    first = Token.objects.get().last_used_at
    assert first is not None
    asker.ask("clients/")
    assert Token.objects.get().last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(minutes=2))
    asker.ask("clients/")
    assert Token.objects.get().last_used_at > first
    Token.objects.update(revoked_at=timezone.now(), last_used_at=None)
    assert asker.ask("clients/").status_code == 401
    assert Token.objects.get().last_used_at is None
