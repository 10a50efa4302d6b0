"""Every odd key and every state of an object in S3, from the bucket to its end."""

from dataclasses import dataclass

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from ingestion.models import Event, LoadAttempt, SourceFile
from ingestion.reruns import release, skip
from tests.builders import ClientUnderTest, csv_gz
from tests.ingestion.bad_inputs.cases import GOOD, stored_rows
from tests.refusing_s3 import refusing

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KEYS = [
    "exports/with space/a b.csv",
    "exports/unicode/ünï-漢字-🧾.csv",
    "exports/dots/../../etc/passwd.csv",
    "exports/percent/100%25+1.csv",
    "exports/plus/a+b=c&d.csv",
    "exports//double//slash.csv",
    "exports/control/\x01\t\x1b[2J\x7f.csv",
    "exports/quotes/'\";DROP TABLE.csv",
    "exports/back\\slash/c:\\x.csv",
    "exports/markup/<b>&amp;.csv",
    "exports/decomposed/e\u0301.csv",
    "exports/composed/\u00e9.csv",
    "exports/long/" + "x" * 1000 + ".csv",
]


def test_every_key_that_s3_allows_is_kept_to_the_byte_and_its_file_is_read(
    client_under_test: ClientUnderTest,
) -> None:
    for number, key in enumerate(KEYS):
        client_under_test.account.put_object(key, f"n\n{number}\n".encode())
    client_under_test.ingest()
    assert {key: client_under_test.rows(key) for key in KEYS} == {
        key: [[str(number)]] for number, key in enumerate(KEYS)
    }


def test_what_is_no_data_file_is_counted_or_skipped_with_its_reason(
    client_under_test: ClientUnderTest,
) -> None:
    client_under_test.account.put_object("exports/folder/", b"")
    client_under_test.account.put_object("exports/folder/photo.jpeg", b"\xff\xd8")
    client_under_test.account.put_object("exports/no-extension", b"x")
    client_under_test.account.put_object(GOOD, b"a,b\n1,2\n")
    run = client_under_test.discover()
    assert (run.listed, run.counts) == (4, {"folder": 1, "unknown": 2, "data": 1})
    client_under_test.load_all()
    skipped = SourceFile.objects.filter(status="SKIPPED").order_by("key").values_list("key", "skip_reason")
    assert list(skipped) == [("exports/folder/photo.jpeg", "UNKNOWN"), ("exports/no-extension", "UNKNOWN")]
    assert client_under_test.rows(GOOD) == [["1", "2"]]


@dataclass(frozen=True)
class State:
    """What S3 answers to a GET, and what KCX makes of it."""

    answer: str
    message: str
    code: str
    transient: bool = False


KMS = "User: x is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext"
STATES = {
    "denied": State("AccessDenied", "Access Denied", "access_denied"),
    "explicitly-denied": State(
        "AccessDenied", "User: x is not authorized: with an explicit deny in a policy", "explicit_deny"
    ),
    "kms-denied": State("AccessDenied", KMS, "kms_denied"),
    "kms-disabled": State("KMS.DisabledException", "arn:aws:kms:key is disabled.", "kms_denied"),
    "kms-key-gone": State("KMS.NotFoundException", "Key does not exist", "kms_denied"),
    "kms-key-deleted": State("KMS.KMSInvalidStateException", "key is pending deletion.", "kms_denied"),
    "kms-key-of-another-use": State("KMS.InvalidKeyUsageException", "for signing only", "kms_denied"),
    "kms-key-unavailable": State(
        "KMS.KeyUnavailableException", "You can retry the request.", "aws_unavailable", transient=True
    ),
    "kms-throttled": State(
        "KMS.ThrottlingException", "You have exceeded the rate", "aws_unavailable", transient=True
    ),
    "key-of-the-clients-own": State(
        "InvalidRequest", "The object was stored using a form of Server Side Encryption.", "customer_key"
    ),
    "request-that-s3-refuses": State("InvalidRequest", "The request is not valid.", "aws_refused"),
    "token-that-is-none": State(
        "InvalidToken", "The provided token is malformed.", "credentials_expired", transient=True
    ),
    "object-closed-by-aws": State(
        "AllAccessDisabled", "All access to this object has been disabled", "account_problem"
    ),
    "account-closed-by-aws": State(
        "AccountProblem", "There is a problem with your account", "account_problem"
    ),
    "request-timeout": State(
        "RequestTimeout", "Your socket connection was not read from", "aws_unavailable", transient=True
    ),
    "other-region": State(
        "AuthorizationHeaderMalformed", "the region is wrong", "wrong_region", transient=True
    ),
    "clock": State("RequestTimeTooSkewed", "The difference is too large.", "clock_skew", transient=True),
    "expired": State(
        "ExpiredToken", "The provided token has expired.", "credentials_expired", transient=True
    ),
    "slow-down": State("SlowDown", "Please reduce your request rate.", "aws_unavailable", transient=True),
}


def test_what_s3_refuses_fails_the_file_by_its_code_and_nothing_else(
    client_under_test: ClientUnderTest, at_once: None
) -> None:
    keys = {title: f"exports/{title}/f.csv.gz" for title in STATES}
    client_under_test.account.put_object(GOOD, b"a,b\n1,2\n")
    for key in keys.values():
        client_under_test.account.put_object(key, csv_gz("a\n1\n"))
    with refusing({keys[title]: (state.answer, state.message) for title, state in STATES.items()}):
        client_under_test.ingest()
    found = {title: client_under_test.file(key) for title, key in keys.items()}
    assert {title: (file.error_code, file.next_retry_at is not None) for title, file in found.items()} == {
        title: (state.code, state.transient) for title, state in STATES.items()
    }
    assert {file.status for file in found.values()} == {"FAILED"}
    assert [title for title, file in found.items() if STATES[title].message not in file.error_message] == []
    assert client_under_test.rows(GOOD) == [["1", "2"]]
    assert stored_rows(client_under_test) == 1


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_is_skipped_with_its_reason_and_loaded_once_it_is_restored(
    client_under_test: ClientUnderTest, storage_class: str
) -> None:
    client_under_test.account.put_object("exports/cold/f.csv", b"a\n1\n", storage_class=storage_class)
    assert client_under_test.ingest() == []
    file = client_under_test.file("exports/cold/f.csv")
    assert (file.status, file.skip_reason) == ("SKIPPED", "ARCHIVED")
    client_under_test.account.set_storage_class("exports/cold/f.csv", "STANDARD")
    client_under_test.ingest()
    assert client_under_test.rows("exports/cold/f.csv") == [["1"]]


def test_a_restored_copy_is_loaded_once_it_is_there_and_for_as_long_as_it_is(
    client_under_test: ClientUnderTest,
) -> None:
    account, key = client_under_test.account, "exports/cold/f.csv"
    account.put_object(key, b"a\n1\n", storage_class="DEEP_ARCHIVE")
    account.restore(key, done=False)
    assert client_under_test.ingest() == [], "the restore is under way"
    account.restore(key)
    client_under_test.discover()
    account.end_restore(key)
    (attempt,) = client_under_test.load_all()
    file = client_under_test.file(key)
    assert (attempt.error_code, file.status, file.skip_reason) == ("archived_object", "SKIPPED", "ARCHIVED")
    assert not Event.objects.filter(kind=Event.Kind.FILE_FAILED).exists()
    assert client_under_test.ingest() == [], "archived again"
    account.restore(key)
    client_under_test.ingest()
    assert client_under_test.rows(key) == [["1"]]


def test_a_tier_that_listings_do_not_show_waits_for_a_person(client_under_test: ClientUnderTest) -> None:
    key = "exports/tiered/f.csv"
    client_under_test.account.put_object(key, b"a\n1\n", storage_class="INTELLIGENT_TIERING")
    state = ("InvalidObjectState", "The operation is not valid for the access tier")
    with refusing({key: state}):
        client_under_test.ingest()
        assert client_under_test.ingest() == [], "not asked for at every look"
    assert client_under_test.file(key).skip_reason == "ARCHIVED"
    release(SourceFile.objects.all(), "Ann", "the client restored it")
    client_under_test.ingest()
    assert client_under_test.rows(key) == [["1"]]


def test_archived_files_that_nobody_wants_can_be_skipped(client_under_test: ClientUnderTest) -> None:
    key = "exports/cold/f.csv"
    client_under_test.account.put_object(key, b"a\n1\n", storage_class="GLACIER")
    client_under_test.ingest()
    assert len(skip(SourceFile.objects.all(), "Ann", "older than the contract")) == 1
    client_under_test.account.restore(key)
    assert client_under_test.ingest() == []
    assert client_under_test.file(key).skip_reason == "BY_STAFF"


def test_an_object_that_vanishes_or_changes_before_its_load_is_settled_by_the_next_discovery(
    client_under_test: ClientUnderTest,
) -> None:
    account = client_under_test.account
    for key in ("exports/gone/f.csv", "exports/changed/f.csv", GOOD):
        account.put_object(key, b"a,b\n1,2\n")
    client_under_test.discover()
    account.delete_object("exports/gone/f.csv")
    account.put_object("exports/changed/f.csv", b"a,b\n3,4\n")
    client_under_test.load_all()
    failed = SourceFile.objects.filter(status="FAILED", next_retry_at__isnull=False)
    assert set(failed.values_list("key", "error_code")) == {
        ("exports/gone/f.csv", "object_gone"),
        ("exports/changed/f.csv", "object_changed"),
    }
    client_under_test.ingest()
    skipped = SourceFile.objects.filter(status="SKIPPED").values_list("key", "skip_reason")
    assert set(skipped) == {("exports/gone/f.csv", "GONE"), ("exports/changed/f.csv", "REPLACED")}
    assert client_under_test.rows("exports/changed/f.csv") == [["3", "4"]]


def test_the_attempts_page_shows_the_evidence_of_a_bad_file(client_under_test: ClientUnderTest) -> None:
    client_under_test.account.put_object("exports/bad/f.csv", b"a,b\n1,2\nSecret<b>\x07\n")
    client_under_test.ingest()
    attempt = LoadAttempt.objects.get()
    assert attempt.evidence == {"text_byte": 8, "excerpt": "9,9\\naaaaaa<a>\\x07\\n"}
    browser = Browser()
    browser.force_login(User.objects.create_superuser("chief"))
    page = browser.get(reverse("admin:ingestion_loadattempt_change", args=[attempt.pk])).content.decode()
    assert "aaaaaa&lt;a&gt;" in page
    assert "Secret" not in page
