"""A column layout is stored once, and told apart by every detail of its names and types."""

import pytest
from django.db import IntegrityError

from billing.layouts import layout_digest, store_layout
from billing.models import ColumnLayout

pytestmark = pytest.mark.django_db


def test_files_of_the_same_columns_share_one_layout() -> None:
    first = store_layout(("a", "b"), ("string", "double"))
    again = store_layout(["a", "b"], ["string", "double"])
    assert first.pk == again.pk
    assert ColumnLayout.objects.count() == 1
    assert (again.names, again.types) == (["a", "b"], ["string", "double"])


@pytest.mark.parametrize(
    ("names", "types"),
    [
        (["b", "a"], ["string", "string"]),
        (["A", "b"], ["string", "string"]),
        (["a", "b", "b"], ["string"] * 3),
        (["a", " b"], ["string", "string"]),
        (["a,b"], ["string"]),
        (['a","b'], ["string"]),
        (["a", "b"], ["string", "double"]),
        (["a", "b", "string", "string"], ["string"] * 4),
        ([], []),
    ],
)
def test_any_difference_is_another_layout(names: list[str], types: list[str]) -> None:
    first = store_layout(["a", "b"], ["string", "string"])
    other = store_layout(names, types)
    assert other.pk != first.pk
    assert (other.names, other.types) == (names, types)


def test_duplicate_names_are_kept_with_their_places() -> None:
    layout = store_layout(["cost", "tag", "tag"], ["string"] * 3)
    layout.refresh_from_db()
    assert layout.names == ["cost", "tag", "tag"]


def test_the_digest_never_changes_from_one_release_to_the_next() -> None:
    # echo -n '[["Kosten €","b"],["string","double"]]' | sha256sum
    assert layout_digest(["Kosten €", "b"], ["string", "double"]) == (
        "c3fd7837fe9928457052e7d70aefdf53ccb496da6f76982f72fec9cf5e6cf4ce"
    )


@pytest.mark.parametrize(
    ("names", "types", "constraint"),
    [
        (["a", ""], ["string", "string"], "no_nameless"),
        ([""], ["string"], "no_nameless"),
        (["a", "b"], ["string"], "a_type_for_each_name"),
        (["a"], [], "a_type_for_each_name"),
    ],
)
def test_the_database_refuses_a_layout_that_names_too_little(
    names: list[str], types: list[str], constraint: str
) -> None:
    with pytest.raises(IntegrityError, match=constraint):
        ColumnLayout.objects.create(digest="0" * 64, names=names, types=types)
