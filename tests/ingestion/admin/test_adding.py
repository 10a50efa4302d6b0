"""Adding a connection: its client, where the exports are, the role when it is known."""

import pytest
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.test import Client as Browser
from django.urls import reverse

from ingestion.models import Client, ClientConnection, StaffAction
from ingestion.onboarding import enter_role
from tests.staff import browser_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]

ROLE = "arn:aws:iam::200000000001:role/kcx-read"
KEY = "arn:aws:kms:eu-central-1:200000000001:key/1234"
ENTERED = {"new_client": "Aurora", "bucket": "aurora-billing", "prefix": "exports/", "region": "eu-central-1"}


@pytest.fixture(autouse=True)
def account_of_kcx(settings: object) -> None:
    settings.KCX_AWS_ACCOUNT_ID = "444455556666"  # type: ignore[attr-defined]


@pytest.fixture
def onboarder() -> Browser:
    return browser_of("onboarder")


def add(browser: Browser, **entered: object) -> HttpResponse:
    address = reverse("admin:ingestion_clientconnection_add")
    return browser.post(address, {**ENTERED, **entered}, secure=True)


def act(browser: Browser, what: str, **entered: object) -> str:
    address = reverse("admin:ingestion_clientconnection_act", args=[ClientConnection.objects.get().pk, what])
    return browser.post(address, entered, secure=True, follow=True).content.decode()


def test_a_connection_of_a_new_client_is_added_and_leads_to_its_home(onboarder: Browser) -> None:
    answer = add(onboarder)
    made = ClientConnection.objects.get()
    assert answer["Location"] == reverse("admin:ingestion_clientconnection_home", args=[made.pk])
    assert (made.client.name, made.name, made.prefix) == ("Aurora", "Aurora aurora-billing", "exports/")
    assert not made.enabled
    text = onboarder.get(answer["Location"], secure=True).content.decode()
    assert "Added: Aurora aurora-billing." in text
    assert made.external_id in text
    done = StaffAction.objects.get()
    assert (done.actor, done.action, done.connection) == ("onboarder", "onboard", made)
    assert done.detail["bucket"] == "aurora-billing"


def test_a_client_that_is_there_is_chosen(onboarder: Browser) -> None:
    client = Client.objects.create(name="Aurora")
    add(onboarder, new_client="", client=client.pk, name="mine", role_arn=ROLE)
    made = ClientConnection.objects.get()
    assert (made.client, made.name, made.role_arn) == (client, "mine", ROLE)


def test_the_external_id_is_never_asked_and_never_taken(onboarder: Browser) -> None:
    page = onboarder.get(reverse("admin:ingestion_clientconnection_add"), secure=True).content.decode()
    assert 'name="external_id"' not in page
    add(onboarder, external_id="chosen-by-somebody", enabled="on")
    made = ClientConnection.objects.get()
    assert made.external_id != "chosen-by-somebody"
    assert not made.enabled


@pytest.mark.parametrize(
    ("entered", "told"),
    [
        ({"bucket": "s3://aurora-billing"}, "without s3://"),
        ({"bucket": "Aurora_Billing"}, "3 to 63 lower-case letters"),
        ({"prefix": "s3://aurora-billing/exports/"}, "Only the prefix"),
        ({"prefix": "/exports/"}, "Without the slash at the beginning"),
        ({"prefix": "ü" * 513}, "S3 keys have 1024 bytes at most"),
        ({"region": "Frankfurt"}, "The region&#x27;s code"),
        ({"role_arn": "arn:aws:iam::200000000001:user/kcx"}, "The role&#x27;s whole ARN"),
        ({"kms_key_arn": "alias/exports"}, "The key&#x27;s whole ARN"),
        ({"region": "cn-north-1", "role_arn": ROLE}, "A role of aws reaches no bucket in cn-north-1"),
        ({"role_arn": ROLE.replace("aws", "aws-us-gov")}, "A role of aws-us-gov reaches no bucket"),
        ({"kms_key_arn": KEY.replace("eu-central-1", "us-east-1")}, "The key is in us-east-1 (aws)"),
        ({"kms_key_arn": KEY.replace("aws", "aws-cn")}, "The key is in eu-central-1 (aws-cn)"),
        ({"role_arn": ROLE.replace("200000000001", "444455556666")}, "KCX&#x27;s own account"),
        ({"name": "42"}, "at least one character that is no digit"),
        ({"new_client": ""}, "Choose the client, or name a new one"),
        ({"new_client": "BOREALIS"}, "There is a client “Borealis” already"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_nothing_is_made(
    onboarder: Browser, entered: dict[str, str], told: str
) -> None:
    Client.objects.create(name="Borealis")
    answer = add(onboarder, **entered)
    assert answer.status_code == 200
    assert told in answer.content.decode()
    assert not ClientConnection.objects.exists()
    assert list(Client.objects.values_list("name", flat=True)) == ["Borealis"]
    assert not StaffAction.objects.exists()


def test_a_role_of_one_client_is_not_taken_for_another(onboarder: Browser) -> None:
    add(onboarder, role_arn=ROLE)
    answer = add(onboarder, new_client="Borealis", bucket="borealis-billing", role_arn=ROLE)
    assert "This is the role of Aurora" in answer.content.decode()
    aurora = Client.objects.get().pk
    assert add(onboarder, new_client="", client=aurora, bucket="second", role_arn=ROLE).status_code == 302
    add(onboarder, new_client="Borealis", bucket="borealis-billing")
    with pytest.raises(ValidationError, match="This is the role of Aurora"):
        enter_role(ClientConnection.objects.get(client__name="Borealis"), ROLE, "anna")


def test_what_belongs_together_is_taken(onboarder: Browser) -> None:
    other = {"region": "cn-north-1", "role_arn": ROLE.replace("aws", "aws-cn")}
    key = KEY.replace("eu-central-1", "cn-north-1").replace("aws", "aws-cn")
    assert add(onboarder, **other, kms_key_arn=key).status_code == 302


def test_a_client_is_chosen_or_named_not_both(onboarder: Browser) -> None:
    answer = add(onboarder, client=Client.objects.create(name="Borealis").pk)
    assert "Either choose a client or name a new one" in answer.content.decode()
    assert not ClientConnection.objects.exists()


@pytest.mark.parametrize("group", ["viewer", "operator"])
def test_who_may_not_onboard_adds_nothing(group: str) -> None:
    browser = browser_of(group)
    assert browser.get(reverse("admin:ingestion_clientconnection_add"), secure=True).status_code == 403
    assert add(browser).status_code == 403
    assert not ClientConnection.objects.exists()


def test_the_role_is_entered_once_the_client_sent_it(onboarder: Browser) -> None:
    add(onboarder)
    assert "Enter the role" in act(onboarder, "verify")
    assert "The role&#x27;s whole ARN" in act(onboarder, "role", role_arn="kcx-read")
    assert ClientConnection.objects.get().role_arn == ""
    text = act(onboarder, "role", role_arn=ROLE)
    assert "The role is entered" in text
    assert "Enter the role</button>" not in text
    assert ClientConnection.objects.get().role_arn == ROLE
    done = StaffAction.objects.filter(action="change connection").get()
    assert done.detail == {"role_arn": {"before": "", "after": ROLE}}


@pytest.mark.parametrize("page", ["home", "transparency"])
def test_every_page_of_a_connection_opens_before_its_role_is_known(onboarder: Browser, page: str) -> None:
    add(onboarder)
    pk = ClientConnection.objects.get().pk
    answer = onboarder.get(reverse(f"admin:ingestion_clientconnection_{page}", args=[pk]), secure=True)
    assert answer.status_code == 200


def test_an_enabled_connection_gets_no_other_role_unverified(onboarder: Browser) -> None:
    add(onboarder, role_arn=ROLE)
    ClientConnection.objects.update(enabled=True)
    act(onboarder, "role", role_arn=ROLE.replace("kcx-read", "another"))
    assert ClientConnection.objects.get().role_arn == ROLE
