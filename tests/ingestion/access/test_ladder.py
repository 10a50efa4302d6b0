"""The ladder: each rung passes where all is right, and names the cause where it is not."""

import threading
from typing import Any

import pytest
from moto.core.exceptions import _RESTError
from moto.sts.responses import TokenResponse

from ingestion.access import content
from ingestion.access.ladder import climb
from ingestion.aws_calls import Calls
from ingestion.models import ClientConnection
from ingestion.policies import permission_policy, trust_policy
from kcx.simulated_aws.policies import policy, read_policy
from kcx.simulated_aws.replacing import replaced
from tests.builders import ClientUnderTest, csv_gz
from tests.faulty_s3 import FaultyAws, answering
from tests.ingestion.access.conftest import DATA, Climbed, ClimbOf
from tests.refusing_s3 import refusing

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

CODES = [
    *("identity", "assume_role", "external_id_missing", "external_id_wrong", "bucket_region", "list_bucket"),
    *("exports_found", "read_first_bytes", "parse_header", "excess"),
]
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234"


def verdicts(climbed: Climbed) -> dict[str, str]:
    return {code: rung.verdict for code, rung in climbed.items()}


def up_to(code: str, verdict: str = "failed", **others: str) -> dict[str, str]:
    """Passed before `code`, skipped after it."""
    at = CODES.index(code)
    before, after = dict.fromkeys(CODES[:at], "passed"), dict.fromkeys(CODES[at + 1 :], "skipped")
    return {**before, code: verdict, **after, **others}


def connection_of(client: ClientUnderTest, **changes: Any) -> None:
    ClientConnection.objects.filter(pk=client.connection.pk).update(**changes)


def trust_of(client: ClientUnderTest, condition: dict[str, Any] | None) -> dict[str, Any]:
    """KCX's trust policy with another condition, or with none."""
    document = trust_policy("aws", "999900001111", client.connection.external_id)
    statement = document["Statement"][0]
    del statement["Condition"]
    return policy(statement if condition is None else {**statement, "Condition": condition})


def test_where_all_is_right_every_rung_passes(delivered: ClientUnderTest, climbed: ClimbOf) -> None:
    rungs = climbed(delivered)
    assert verdicts(rungs) == dict.fromkeys(CODES, "passed")
    assert "user/kcx" in rungs["identity"].told
    assert f"assumed-role/kcx-read/kcx-c{delivered.connection.pk}-c0" in rungs["assume_role"].told
    assert "eu-central-1" in rungs["bucket_region"].told
    assert "exports/lines" in rungs["exports_found"].told
    assert DATA in rungs["read_first_bytes"].told
    assert "2 columns: line, cost" in rungs["parse_header"].told
    assert "writing, deleting" in rungs["excess"].told
    assert {(rung.cause, rung.remedy) for rung in rungs.values()} == {("", "")}


def test_without_an_identity_kcx_gets_nowhere(
    delivered: ClientUnderTest, climbed: ClimbOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    rungs = climbed(delivered)
    assert verdicts(rungs) == up_to("identity")
    assert "identity" in rungs["identity"].remedy


@pytest.mark.parametrize(
    "message", ["Signature expired: 1 is now earlier than 2", "Signature not yet current"]
)
def test_a_wrong_clock_is_called_that(delivered: ClientUnderTest, climbed: ClimbOf, message: str) -> None:
    def refuse(_request: TokenResponse) -> None:
        raise _RESTError("SignatureDoesNotMatch", message)

    with replaced(TokenResponse, "get_caller_identity", refuse):
        rungs = climbed(delivered)
    assert verdicts(rungs) == up_to("identity")
    assert "clock" in rungs["identity"].cause


def test_another_account_in_the_settings_than_kcxs_own_is_a_warning(
    delivered: ClientUnderTest, climbed: ClimbOf, settings: Any
) -> None:
    settings.KCX_AWS_ACCOUNT_ID = "444455556666"
    rung = climbed(delivered)["identity"]
    assert rung.verdict == "warning"
    assert "444455556666" in rung.cause
    assert "999900001111" in rung.cause


class TestTheRole:
    def test_a_role_that_is_gone_is_refused_with_what_to_compare(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.delete_role()
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("assume_role")
        assert "trust policy" in rungs["assume_role"].remedy

    def test_a_connection_without_a_role_says_so(self, delivered: ClientUnderTest, climbed: ClimbOf) -> None:
        connection_of(delivered, enabled=False, role_arn="")
        assert "No role is entered" in climbed(delivered)["assume_role"].told

    def test_a_session_in_another_account_is_refused(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        connection_of(delivered, role_arn=delivered.connection.role_arn)
        identity = TokenResponse.get_caller_identity

        def elsewhere(request: TokenResponse) -> Any:
            answer = identity(request)
            if "assumed-role" in str(answer.result):
                answer.result["Account"] = "123412341234"
            return answer

        with replaced(TokenResponse, "get_caller_identity", elsewhere):
            rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("assume_role")
        assert "123412341234" in rungs["assume_role"].told

    def test_a_role_that_asks_for_no_external_id_fails_both_rungs(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.set_trust(trust_of(delivered, None))
        rungs = climbed(delivered)
        failed = dict.fromkeys(["external_id_missing", "external_id_wrong"], "failed")
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), **failed}
        assert "without the connection's external id" in rungs["external_id_missing"].cause

    def test_a_role_that_takes_any_external_id_fails_one_rung(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.set_trust(trust_of(delivered, {"StringLike": {"sts:ExternalId": "*"}}))
        rungs = climbed(delivered)
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), "external_id_wrong": "failed"}

    def test_a_role_that_asks_only_where_an_id_is_sent_fails_the_other(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        mine = {"StringEqualsIfExists": {"sts:ExternalId": delivered.connection.external_id}}
        delivered.account.set_trust(trust_of(delivered, mine))
        rungs = climbed(delivered)
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), "external_id_missing": "failed"}

    def test_a_role_that_is_just_made_is_waited_for(
        self, delivered: ClientUnderTest, climbed: ClimbOf, settings: Any
    ) -> None:
        settings.KCX_IAM_SECONDS = 10
        right = trust_of(delivered, {"StringEquals": {"sts:ExternalId": delivered.connection.external_id}})
        delivered.account.set_trust(trust_of(delivered, {"StringEquals": {"sts:ExternalId": "not yet"}}))
        threading.Timer(1.5, delivered.account.set_trust, [right]).start()
        assert verdicts(climbed(delivered)) == dict.fromkeys(CODES, "passed")


class TestTheBucket:
    def test_a_bucket_that_does_not_exist_is_named(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        connection_of(delivered, bucket="no-such-bucket-at-all")
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("bucket_region")
        assert "no-such-bucket-at-all" in rungs["bucket_region"].told
        assert "does not exist" in rungs["bucket_region"].cause

    def test_a_wrong_region_is_told_with_the_right_one(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        connection_of(delivered, region="us-west-2")
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("bucket_region")
        assert "is in eu-central-1" in rungs["bucket_region"].told
        assert "region" in rungs["bucket_region"].remedy

    def test_a_role_that_may_not_list_is_denied(self, delivered: ClientUnderTest, climbed: ClimbOf) -> None:
        statement = read_policy(delivered.account.bucket, "exports/")["Statement"][1]
        delivered.account.put_role(
            trust_of(delivered, {"StringEquals": {"sts:ExternalId": delivered.connection.external_id}}),
            policy(statement),
        )
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("list_bucket", excess="passed")
        assert "refused the list" in rungs["list_bucket"].cause

    def test_another_accounts_bucket_is_called_that(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        connection_of(delivered, bucket_owner="123412341234")
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("list_bucket")
        assert "another account" in rungs["list_bucket"].cause

    def test_requester_pays_is_called_that(self, delivered: ClientUnderTest, climbed: ClimbOf) -> None:
        delivered.account.set_requester_pays()
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("list_bucket")
        assert "Requester Pays" in rungs["list_bucket"].remedy

    @pytest.mark.parametrize(
        ("action", "rung"), [("s3:ListBucket", "list_bucket"), ("s3:GetObject", "read_first_bytes")]
    )
    def test_a_bucket_policys_denial_is_told_from_a_missing_permission(
        self, delivered: ClientUnderTest, climbed: ClimbOf, action: str, rung: str
    ) -> None:
        deny = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}
        delivered.account.set_bucket_policy(policy(deny))
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to(rung, excess="passed")
        assert "denies what the role's own allows" in rungs[rung].cause


class TestTheFiles:
    def test_a_prefix_with_no_files_is_a_warning_of_its_own(
        self, client_under_test: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        client_under_test.account.put_object("elsewhere/a.csv", b"a\n1\n")
        rungs = climbed(client_under_test)
        skipped = {"read_first_bytes": "skipped", "parse_header": "skipped"}
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), "exports_found": "warning", **skipped}
        assert "prefix is empty" in rungs["exports_found"].cause

    def test_files_that_are_no_exports_are_another_warning(
        self, client_under_test: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        client_under_test.account.put_object("exports/photo.jpg", b"x")
        rung = climbed(client_under_test)["exports_found"]
        assert rung.verdict == "warning"
        assert rung.told.startswith("1 object seen under the prefix; none is")

    def test_where_more_is_there_than_was_looked_at_the_rung_says_so(
        self, client_under_test: ClientUnderTest, climbed: ClimbOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(content, "PAGES", 1)
        for number in range(1000):
            client_under_test.account.put_object(f"exports/{number:04}.jpg", b"x")
        assert climbed(client_under_test)["exports_found"].told.startswith("1,000 objects seen under")
        client_under_test.account.put_object("exports/lines/2026-01.csv.gz", csv_gz("a\n1\n"))
        rung = climbed(client_under_test)["exports_found"]
        assert rung.told.startswith("Of the objects under the prefix the first 1,000 seen; none of these")
        assert "come first by name" in rung.cause
        client_under_test.account.put_object("exports/a/2026-01.csv.gz", csv_gz("a\n1\n"))
        client_under_test.account.delete_object("exports/0000.jpg")
        client_under_test.account.put_object("exports/0.csv.gz", csv_gz("a\n1\n"))
        rung = climbed(client_under_test)["exports_found"]
        assert rung.told.startswith("Of the objects under the prefix the first 1,000 seen: ")
        assert "1 file)" in rung.told

    def test_only_archived_files_cannot_be_read(self, delivered: ClientUnderTest, climbed: ClimbOf) -> None:
        delivered.account.set_storage_class(DATA, "GLACIER")
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("read_first_bytes", excess="passed")
        assert "archive storage class" in rungs["read_first_bytes"].cause
        assert "restore" in rungs["read_first_bytes"].remedy

    def test_the_newest_file_that_is_not_archived_is_read(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.put_object("exports/lines/z.csv.gz", csv_gz("a\n1\n"), storage_class="GLACIER")
        assert DATA in climbed(delivered)["read_first_bytes"].told

    def test_a_key_the_role_may_not_use_is_called_that(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.put_object(DATA, csv_gz("a\n1\n"), kms_key_arn=KEY)
        rungs = climbed(delivered)
        assert verdicts(rungs) == up_to("read_first_bytes", excess="passed")
        assert "kms:Decrypt" in rungs["read_first_bytes"].remedy

    def test_the_key_of_the_connection_opens_what_it_encrypts(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.put_object(DATA, csv_gz("a\n1\n"), kms_key_arn=KEY)
        connection_of(delivered, kms_key_arn=KEY)
        delivered.account.put_role(
            trust_of(delivered, {"StringEquals": {"sts:ExternalId": delivered.connection.external_id}}),
            permission_policy("aws", delivered.account.bucket, "exports/", KEY),
        )
        assert verdicts(climbed(delivered)) == dict.fromkeys(CODES, "passed")

    def test_a_damaged_file_is_a_warning_as_the_access_to_it_is_right(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.put_object(DATA, csv_gz("a\n1\n")[:12])
        rungs = climbed(delivered)
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), "parse_header": "warning"}
        assert "the access is right" in rungs["parse_header"].cause

    def test_what_passes_by_itself_says_nothing_about_the_client(
        self, delivered: ClientUnderTest, climbed: ClimbOf, at_once: None
    ) -> None:
        with refusing({DATA: ("SlowDown", "Please reduce your request rate.")}):
            rung = climbed(delivered)["read_first_bytes"]
        assert (rung.verdict, rung.transient) == ("failed", True)


class TestExcess:
    @pytest.mark.parametrize(
        ("more", "told"),
        [
            ({"Action": "s3:ListBucket", "Resource": "*"}, "outside the prefix"),
            ({"Action": "s3:ListAllMyBuckets", "Resource": "*"}, "the account's buckets"),
            ({"Action": "*", "Resource": "*"}, "outside the prefix, to list the account's buckets"),
        ],
    )
    def test_a_role_that_allows_more_is_a_warning(
        self, delivered: ClientUnderTest, climbed: ClimbOf, more: dict[str, str], told: str
    ) -> None:
        needed = permission_policy("aws", delivered.account.bucket, "exports/")["Statement"]
        delivered.account.put_role(
            trust_of(delivered, {"StringEquals": {"sts:ExternalId": delivered.connection.external_id}}),
            policy(*needed, {"Effect": "Allow", **more}),
        )
        rungs = climbed(delivered)
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), "excess": "warning"}
        assert told in rungs["excess"].told

    @pytest.mark.parametrize("prefixes", [["", "exports/*"], ["*"]])
    def test_an_empty_prefix_is_outside_the_prefix_too(
        self, delivered: ClientUnderTest, climbed: ClimbOf, prefixes: list[str]
    ) -> None:
        needed = permission_policy("aws", delivered.account.bucket, "exports/")["Statement"]
        needed[0]["Condition"] = {"StringLike": {"s3:prefix": prefixes}}
        trust = trust_of(delivered, {"StringEquals": {"sts:ExternalId": delivered.connection.external_id}})
        delivered.account.put_role(trust, policy(*needed))
        rungs = climbed(delivered)
        assert verdicts(rungs) == {**dict.fromkeys(CODES, "passed"), "excess": "warning"}
        assert "outside the prefix" in rungs["excess"].told
        assert "buckets" not in rungs["excess"].told

    @pytest.mark.parametrize(
        "entered", [{"bucket": "no-such-bucket-at-all"}, {"region": "us-west-2"}, {"bucket_owner": "1" * 12}]
    )
    def test_what_s3_does_not_answer_for_was_not_tested(
        self, delivered: ClientUnderTest, climbed: ClimbOf, entered: dict[str, str]
    ) -> None:
        connection_of(delivered, **entered)
        rung = climbed(delivered)["excess"]
        assert rung.verdict == "skipped"
        assert "Not tested: to list the bucket outside the prefix." in rung.told
        assert "account's buckets" not in rung.told, "that was refused"

    def test_what_is_refused_to_all_who_do_not_pay_tells_nothing_of_the_role(
        self, delivered: ClientUnderTest, climbed: ClimbOf
    ) -> None:
        delivered.account.set_requester_pays()
        rung = climbed(delivered)["excess"]
        assert (rung.verdict, "outside the prefix" in rung.told) == ("skipped", True)

    def test_another_answer_than_a_refusal_is_none(
        self, delivered: ClientUnderTest, climbed: ClimbOf, wire: FaultyAws
    ) -> None:
        wire.ever["ListBuckets"] = answering(400, "AuthorizationHeaderMalformed")
        rung = climbed(delivered)["excess"]
        assert (rung.verdict, "Not tested: to list the account's buckets." in rung.told) == ("skipped", True)

    def test_only_harmless_reads_are_tried(self, delivered: ClientUnderTest) -> None:
        delivered.account.put_role(
            trust_of(delivered, {"StringEquals": {"sts:ExternalId": delivered.connection.external_id}}),
            policy({"Effect": "Allow", "Action": "*", "Resource": "*"}),
        )
        before = delivered.account.list_keys()
        asked = Calls("c0")
        climb(delivered.connection, lambda _rung: None, asked)
        assert delivered.account.list_keys() == before
        assert set(asked.by_operation) == {
            *("AssumeRole", "GetCallerIdentity", "HeadBucket", "ListObjectsV2", "GetObject", "ListBuckets")
        }
