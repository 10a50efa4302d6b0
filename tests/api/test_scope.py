"""What is outside a token's scope does not exist: every address there is, asked by others."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.urls import URLPattern, URLResolver, get_resolver

from kcx.api import urls
from kcx.api.queries import IdField
from kcx.api.scope import clients_of, connections_of, deliveries_of, exports_of, files_of
from tests.api.asking import Asker, of_all, of_clients
from tests.api.world import World, a_world

pytestmark = pytest.mark.django_db
# These tell of no client; a new address is walked unless it is entered here.
TELLS_OF_NOBODY = {"api-root", "schema", "docs", "nothing"}


def patterns(within: Any = urls.urlpatterns) -> Iterator[URLPattern]:
    """Every address of the API, as the resolver knows it."""
    for one in within:
        if isinstance(one, URLResolver):
            yield from patterns(one.url_patterns)
        elif one.name not in TELLS_OF_NOBODY:
            yield one


def route(pattern: URLPattern) -> str:
    return str(pattern.pattern)


def lists() -> list[str]:
    return [route(one) for one in patterns() if "<" not in route(one)]


def members() -> list[str]:
    return [route(one) for one in patterns() if "<" in route(one)]


def addresses_of(member: str, world: World) -> list[str]:
    """The member's addresses in that world; its first word says of what."""
    (parameter,) = re.findall("<[^>]*>", member)
    kind, _, below = member.partition(parameter)
    ids = world.ids[kind.strip("/")]
    if below.strip("/"):  # of rows: the file that failed has none, and an export's are of a period
        ids = {world.file.pk} if kind == "files/" else ids
    period = "?period=2026-03" if kind == "exports/" and below.strip("/") else ""
    return [member.replace(parameter, str(pk)) + period for pk in ids]


def view_of(address: str) -> Any:
    return get_resolver().resolve(f"/api/v1/{address}").func.cls  # type: ignore[attr-defined]


def test_the_walk_finds_every_resource() -> None:
    named = set(a_world().ids)
    assert {address.partition("/")[0] for address in lists()} == named
    assert {address.partition("/")[0] for address in members()} == named


@pytest.mark.parametrize("member", members())
def test_a_member_outside_the_scope_does_not_exist(member: str) -> None:
    one, other = a_world(), a_world()
    for address in addresses_of(member, one):
        # A download reads by a session of its own, which does not see what this test has not committed.
        there = 409 if "/download/" in address else 200
        assert of_clients(one.connection.client).ask(address).status_code == there
        assert of_all().ask(address).status_code == there
        for method in ("GET", "HEAD"):
            assert of_clients(other.connection.client).ask(address, method).status_code == 404
            assert of_clients().ask(address, method).status_code == 404
        assert Asker("").ask(address).status_code == 401


@pytest.mark.parametrize("address", lists())
def test_a_list_holds_what_is_in_the_scope_and_nothing_else(address: str) -> None:
    one, other = a_world(), a_world()
    kind = address.partition("/")[0]
    key = {"coverage": "export", "restatements": "delivery"}.get(kind, "id")

    def seen(asker: Asker) -> set[int]:
        return {found[key] for found in asker.results(address)}

    assert seen(of_clients(one.connection.client)) == one.ids[kind]
    assert seen(of_all()) == one.ids[kind] | other.ids[kind]
    assert seen(of_clients()) == set()


@pytest.mark.parametrize("address", lists())
def test_to_filter_by_a_foreign_id_is_to_filter_by_one_that_does_not_exist(address: str) -> None:
    one, other = a_world(), a_world()
    named = {"client": "clients", "connection": "connections", "export": "exports", "delivery": "deliveries"}
    for name, parameter in view_of(address).query().fields.items():
        if not isinstance(parameter, IdField):
            continue
        kind = named.get(name, f"{name}s")
        foreign, asker = min(other.ids[kind]), of_clients(one.connection.client)
        assert asker.ask(address, **{name: foreign}).content == asker.ask(address, **{name: 10**12}).content
        assert asker.results(address, **{name: foreign}) == []
        assert any(asker.results(address, **{name: pk}) for pk in one.ids[kind])


def test_a_client_that_is_made_later_is_in_the_scope_of_all_and_of_nobody_else() -> None:
    one = a_world()
    every, named = of_all(), of_clients(one.connection.client)
    later = a_world()
    assert every.ask(f"files/{later.file.pk}/").status_code == 200
    assert named.ask(f"files/{later.file.pk}/").status_code == 404


def test_another_clients_export_with_the_same_data_does_not_exist() -> None:
    one, other = a_world(), a_world()
    one.export.overlaps = other.export
    one.export.save()
    address = f"exports/{one.export.pk}/"
    assert of_all().ask(address).json()["overlaps"] == other.export.pk
    assert of_clients(one.connection.client).ask(address).json()["overlaps"] is None
    both = of_clients(one.connection.client, other.connection.client)
    assert both.ask(address).json()["overlaps"] == other.export.pk


@pytest.mark.parametrize("member", members())
def test_nothing_tells_how_kcx_gets_in_or_who_of_its_people_did_what(member: str) -> None:
    world = a_world()
    for address in [member.partition("<")[0], *addresses_of(member, world)]:
        text = of_all().ask(address).content.decode()
        assert '"' in text
        for secret in (
            world.connection.external_id,
            world.connection.role_arn,
            "a person",
            "host:1",
            "xx-00",
        ):
            assert secret not in text


@pytest.mark.parametrize("user", [AnonymousUser(), User(username="chief", is_superuser=True)])
def test_without_a_service_user_there_is_nothing(rf: Any, user: Any) -> None:
    a_world()
    request = rf.get("/")
    request.user = user
    for found in (clients_of, connections_of, exports_of, deliveries_of, files_of):
        assert list(found(request)) == []  # type: ignore[operator]  # one of several
