"""The pages of one file: its life, its rows as the source has them, and the passport of each row."""

import shlex
import subprocess
from datetime import date

import pyarrow as pa
import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils.html import escape

from ingestion.models import AwsUse, SourceFile, StaffAction
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.tables.cur2 import cur2_parquet
from tests.builders import ClientUnderTest, csv_gz, parquet

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEY = "exports/lines/file.csv.gz"
HOSTILE = 'exports/it\'s "<script>alert(1)</script>" $(touch x) ünï/' + "x" * 900 + ".csv"


@pytest.fixture
def operator(client_under_test: ClientUnderTest) -> Browser:
    return browser_of("operator")


def browser_of(group: str) -> Browser:
    call_command("migrate", verbosity=0)
    person = User.objects.create_user(group, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    browser = Browser()
    browser.force_login(person)
    return browser


def ingest(client: ClientUnderTest, body: bytes, key: str = KEY) -> SourceFile:
    client.account.put_object(key, body)
    client.ingest()
    return client.file(key)


def rows_of(browser: Browser, file: SourceFile, **search: object) -> str:
    return page(browser, reverse("admin:ingestion_sourcefile_rows", args=[file.pk]), **search)


def page(browser: Browser, path: str, **search: object) -> str:
    answer = browser.get(path, search, secure=True)
    assert answer.status_code == 200
    return answer.content.decode()


def passport(file: SourceFile, number: int = 1) -> str:
    return reverse("admin:ingestion_sourcefile_row", args=[file.pk, number])


def test_a_file_tells_its_life(client_under_test: ClientUnderTest, operator: Browser) -> None:
    export = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
    service = BillingService(client_under_test.account)
    delivered = service.deliver(export, date(2026, 1, 1), [cur2_parquet(date(2026, 1, 1), 50, 1)])
    client_under_test.ingest()
    file = client_under_test.file(delivered.data_keys[0])
    text = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    for told in (file.etag.strip('"'), file.rows_sha256, "2026-01", delivered.snapshot_id, "See its 50 rows"):
        assert told in text
    assert "no. 1" in text, "its receipt"


def test_rows_are_shown_with_the_sources_names_and_null_apart_from_empty(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    table = pa.table({"lineItem/Cost": ["1.50", None, ""], "<b>": ["a", "b", "c"]})
    file = ingest(client_under_test, parquet(table), "exports/a.parquet")
    text = rows_of(operator, file)
    assert "lineItem/Cost" in text
    assert "&lt;b&gt;" in text
    assert (text.count(">NULL<"), text.count(">empty<")) == (1, 1)


def test_rows_are_paged_by_their_numbers(client_under_test: ClientUnderTest, operator: Browser) -> None:
    lines = "".join(f"value-{number:03}\n" for number in range(1, 121))
    file = ingest(client_under_test, csv_gz("n\n" + lines))
    first, last = rows_of(operator, file), rows_of(operator, file, after=100)
    assert "value-050" in first
    assert "value-051" not in first
    assert "?after=50" in first
    assert "value-101" in last
    assert "value-120" in last
    assert "Next rows" not in last


def test_columns_and_rows_are_found(client_under_test: ClientUnderTest, operator: Browser) -> None:
    file = ingest(client_under_test, csv_gz("bill/Payer,lineItem/Cost\np1,10%\np2,20_\np1,30\n"))
    assert '<th scope="col">bill/Payer' not in rows_of(operator, file, columns="COST")
    found = rows_of(operator, file, find="p1", **{"in": 0})
    assert ("<td>10%" in found, "<td>20_" in found, "<td>30" in found) == (True, False, True)
    literally = rows_of(operator, file, find="%", **{"in": 1})
    assert ("<td>10%" in literally, "<td>30" in literally) == (True, False), "no pattern"
    assert "Choose the column" in rows_of(operator, file, find="p1")


@pytest.mark.parametrize(
    "search", [{"after": "-1"}, {"after": "9" * 40}, {"in": "77", "find": "x"}, {"find": "\0", "in": "0"}]
)
def test_an_address_that_makes_no_sense_is_no_error(
    client_under_test: ClientUnderTest, operator: Browser, search: dict[str, str]
) -> None:
    rows_of(operator, ingest(client_under_test, csv_gz("n\n1\n")), **search)


def test_a_passport_names_version_row_delivery_and_the_line_that_fetches_it(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, b"n,m\n1,\n", HOSTILE)
    answer = operator.get(passport(file), secure=True)
    words = shlex.split(answer.context["command"])
    assert words[:3] == ["aws", "s3api", "get-object"]
    told = dict(zip(words[3:-1:2], words[4:-1:2], strict=True))
    assert (told["--bucket"], told["--key"]) == (client_under_test.account.bucket, HOSTILE)
    assert (told["--if-match"], told["--expected-bucket-owner"]) == (file.etag, file.connection.owner)
    echoed = subprocess.run(
        ["sh", "-c", answer.context["command"].replace("aws ", "printf '%s\\n' ", 1)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert HOSTILE in echoed.stdout.splitlines()
    text = answer.content.decode()
    assert "<script>alert" not in text
    assert "Current" in text


def test_a_passport_names_the_manifest_that_listed_the_file_and_its_version(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    service = BillingService(client_under_test.account)
    export = ExportSpec("exports/", "cur2", Family.CUR_2_0, Mode.OVERWRITE, "snappy.parquet")
    delivered = service.deliver(export, date(2026, 3, 1), [cur2_parquet(date(2026, 3, 1), 3, 1)])
    client_under_test.ingest()
    text = page(operator, passport(client_under_test.file(delivered.data_keys[0]), 2))
    manifest = delivered.manifest_keys[-1]
    assert f"manifest {manifest}" in text
    assert escape(client_under_test.account.etag(manifest)) in text


def test_odd_things_of_a_file_are_told_on_its_page(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz("a,<b>,<b>\r1,2,3\n\n"))
    told = page(operator, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))
    for odd in ("1 blank lines", "1 lines that a carriage return alone ends", "named &#x27;&lt;b&gt;&#x27;"):
        assert odd in told
    plain = ingest(client_under_test, csv_gz("a\n1\n"), "exports/plain/file.csv.gz")
    assert "Odd, and" not in page(operator, reverse("admin:ingestion_sourcefile_change", args=[plain.pk]))


def test_a_row_is_read_again_and_compared(client_under_test: ClientUnderTest, operator: Browser) -> None:
    file = ingest(client_under_test, csv_gz("n,m\n1,a\n2,b\n3,c\n"))
    assert "every cell is the same" in operator.post(passport(file, 2), secure=True).content.decode()
    done = StaffAction.objects.get(action="read row again")
    assert (done.actor, done.source_file, done.detail) == ("operator", file, {"row": 2})
    table = f"billing_rawrow_{client_under_test.connection.pk}"
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        cursor.execute(f"UPDATE {table} SET \"values\" = '{{2,forged}}' WHERE row_number = 2")
    text = operator.post(passport(file, 2), secure=True).content.decode()
    assert "It differs." in text
    assert "&#x27;forged&#x27; stored, &#x27;b&#x27; in the file" in text
    client_under_test.account.put_object(KEY, csv_gz("n,m\n9,z\n"))
    assert "Could not be compared" in operator.post(passport(file, 1), secure=True).content.decode()


@pytest.mark.parametrize("group", ["viewer", "onboarder"])
def test_who_may_only_look_sees_rows_and_passports_and_may_not_have_them_read_again(
    client_under_test: ClientUnderTest, group: str
) -> None:
    file, viewer = ingest(client_under_test, csv_gz("n\n1\n")), browser_of(group)
    rows_of(viewer, file)
    assert '<form method="post">' not in page(viewer, passport(file))
    assert viewer.post(passport(file), secure=True).status_code == 403
    assert not AwsUse.objects.filter(run__startswith="r").exists()
    assert "retry_now" not in page(viewer, reverse("admin:ingestion_sourcefile_change", args=[file.pk]))


def test_a_stranger_sees_nothing_and_a_row_that_is_none_is_not_found(
    client_under_test: ClientUnderTest, operator: Browser
) -> None:
    file = ingest(client_under_test, csv_gz("n\n1\n"))
    assert operator.get(passport(file, 2), secure=True).status_code == 404
    for path in (passport(file), reverse("admin:ingestion_sourcefile_rows", args=[file.pk])):
        assert Browser().get(path, secure=True).status_code == 302
