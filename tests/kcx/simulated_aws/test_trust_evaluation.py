"""What a role's trust policy says, without a server."""

import pytest

from kcx.simulated_aws.conditions import matches_wildcards
from kcx.simulated_aws.policies import policy, trust_policy
from kcx.simulated_aws.trust import Caller, trusts

KCX = Caller("arn:aws:iam::999900001111:user/kcx")
ROOT = "arn:aws:iam::999900001111:root"


@pytest.mark.parametrize(
    ("operator", "right", "wrong", "missing"),
    [
        ("StringEquals", True, False, False),
        ("StringEqualsIgnoreCase", True, False, False),
        ("StringLike", True, False, False),
        ("StringEqualsIfExists", True, False, True),
        ("StringLikeIfExists", True, False, True),
        ("StringNotEquals", False, True, True),
    ],
)
def test_each_operator_judges_the_right_a_wrong_and_a_missing_external_id(operator, right, wrong, missing):
    trust = trust_policy(ROOT, "id-1", operator=operator)
    assert trusts(trust, KCX, "id-1") is right
    assert trusts(trust, KCX, "id-2") is wrong
    assert trusts(trust, KCX, None) is missing


def test_a_trust_without_a_condition_lets_any_external_id_in():
    trust = trust_policy(ROOT, None)
    assert trusts(trust, KCX, "id-1")
    assert trusts(trust, KCX, "id-2")
    assert trusts(trust, KCX, None)


def test_string_like_takes_wildcards_and_string_equals_does_not():
    assert trusts(trust_policy(ROOT, "id-*", operator="StringLike"), KCX, "id-7")
    assert not trusts(trust_policy(ROOT, "id-*"), KCX, "id-7")


def test_a_list_of_external_ids_lets_each_of_them_in():
    trust = trust_policy(ROOT, None)
    trust["Statement"][0]["Condition"] = {"StringEquals": {"sts:ExternalId": ["id-1", "id-2"]}}
    assert trusts(trust, KCX, "id-2")
    assert not trusts(trust, KCX, "id-3")


def test_a_null_condition_asks_whether_an_external_id_was_sent():
    trust = trust_policy(ROOT, "false", operator="Null")
    assert trusts(trust, KCX, "anything")
    assert not trusts(trust, KCX, None)


@pytest.mark.parametrize(
    "principal",
    ["arn:aws:iam::999900001111:root", "999900001111", "arn:aws:iam::999900001111:user/kcx", "*"],
)
def test_the_account_its_bare_number_and_the_exact_user_all_name_the_caller(principal):
    assert trusts(trust_policy(principal, "id-1"), KCX, "id-1")


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::111122223333:root",
        "111122223333",
        "arn:aws:iam::999900001111:user/somebody-else",
        "arn:aws-cn:iam::999900001111:root",
        "arn:aws:iam::999900001111:user/*",
    ],
)
def test_another_principal_does_not_name_the_caller(principal):
    assert not trusts(trust_policy(principal, "id-1"), KCX, "id-1")


def test_a_role_of_kcx_is_named_by_the_role_its_session_came_from():
    session = Caller("arn:aws:sts::999900001111:assumed-role/worker/i-0abc")
    assert trusts(trust_policy("arn:aws:iam::999900001111:role/worker", "id-1"), session, "id-1")
    assert not trusts(trust_policy("arn:aws:iam::999900001111:role/other", "id-1"), session, "id-1")


def test_a_deny_beats_an_allow():
    allow = trust_policy(ROOT, None)["Statement"][0]
    assert not trusts(policy(allow, allow | {"Effect": "Deny"}), KCX, "id-1")


def test_a_statement_about_a_service_or_another_action_lets_nobody_in():
    to_lambda = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    tagging = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:TagSession"}
    assert not trusts(policy(to_lambda, tagging), KCX, "id-1")


def test_an_operator_that_is_not_simulated_is_an_error_and_not_a_guess():
    trust = trust_policy(ROOT, "1", operator="NumericEquals")
    with pytest.raises(ValueError, match="NumericEquals is not simulated"):
        trusts(trust, KCX, "1")


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a/(b+c)/*", "a/(b+c)/d/e", True),
        ("a.c", "abc", False),
        ("a?c", "abc", True),
        ("a*", "a\nb", True),
        ("a", "ab", False),
    ],
)
def test_only_the_star_and_the_question_mark_are_wildcards(pattern, text, expected):
    assert matches_wildcards(pattern, text) is expected
