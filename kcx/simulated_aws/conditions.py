"""How IAM compares: wildcards, and the string operators of a policy's Condition element."""

import re
from collections.abc import Callable, Mapping
from typing import Any

# A policy writes its own wildcards as ${*}, ${?} and ${$} where it means the characters.
_PART = re.compile(r"\$\{([*?$])\}|(.)", re.DOTALL)
_WILD = {"*": ".*", "?": "."}


def as_list(value: Any) -> list[Any]:
    """IAM lets a lone value stand for a list of one."""
    return value if isinstance(value, list) else [value]


def matches_wildcards(pattern: str, text: str) -> bool:
    """Whether `text` matches: `*` is any run of characters, `?` any one, all else itself, `${*}` a star."""
    parts = (
        re.escape(literal) if literal else _WILD.get(char, re.escape(char))
        for literal, char in _PART.findall(pattern)
    )
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _equals(expected: str, actual: str) -> bool:
    return expected == actual


def _equals_ignoring_case(expected: str, actual: str) -> bool:
    return expected.casefold() == actual.casefold()


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": _equals,
    "ArnEquals": matches_wildcards,
    "StringEqualsIgnoreCase": _equals_ignoring_case,
    "StringLike": matches_wildcards,
    "ArnLike": matches_wildcards,
}


def conditions_hold(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    """Whether every operator holds for every key of it; `context` has lower-case keys.

    Raises ValueError for an operator that is not simulated.
    """
    return all(
        _holds(operator, [str(value) for value in as_list(expected)], context.get(key.lower()))
        for operator, keys in condition.items()
        for key, expected in keys.items()
    )


def _holds(operator: str, expected: list[str], actual: str | None) -> bool:
    if operator == "Null":
        return (actual is None) == (expected[0].lower() == "true")
    positive = operator.replace("StringNot", "String", 1).removesuffix("IfExists")
    if positive not in _OPERATORS:
        raise ValueError(f"The condition operator {operator} is not simulated.")
    negated = operator.startswith("StringNot")
    if actual is None:
        return negated or operator.endswith("IfExists")
    found = any(_OPERATORS[positive](value, actual) for value in expected)
    return found is not negated
