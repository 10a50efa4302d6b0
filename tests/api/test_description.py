"""The API's description: valid OpenAPI 3.1, for tokens and for staff, fetched from nowhere else."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from drf_spectacular.validation import validate_schema

from kcx.api.description import POLICY
from tests.api.asking import API, of_clients
from tests.kcx.situations import a_member

pytestmark = pytest.mark.django_db
PAGES = [f"{API}schema/", f"{API}docs/"]


@pytest.mark.parametrize("address", PAGES)
def test_it_is_open_to_any_token_and_to_staff(address: str) -> None:
    assert of_clients().ask(address).status_code == 200
    assert a_member(None).get(address, secure=True).status_code == 200
    assert Browser().get(address, secure=True).status_code == 401
    assert a_member(None).post(address, secure=True).status_code == 405


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("no_longer", ["is_staff", "is_active"])
def test_whoever_is_not_staff_is_asked_for_a_token(address: str, no_longer: str) -> None:
    browser = a_member(None)
    User.objects.update(**{no_longer: False})
    assert browser.get(address, secure=True).status_code == 401


def schema() -> Any:
    return of_clients().ask("schema/").json()


def test_the_schema_is_valid_and_offers_nothing_but_reading() -> None:
    told = schema()
    validate_schema(told)
    assert told["openapi"].startswith("3.1")
    assert {method for operations in told["paths"].values() for method in operations} == {"get"}
    assert all(one["get"]["security"] == [{"token": []}] for one in told["paths"].values())


def test_each_address_promises_what_it_answers_and_no_more() -> None:
    promised = {path: set(one["get"]["responses"]) for path, one in schema()["paths"].items()}
    with_etag = {path for path, statuses in promised.items() if "304" in statuses}
    assert with_etag == {path for path in promised if path.endswith("/{id}/")}
    assert {path for path, statuses in promised.items() if "505" in statuses} == {
        path for path in promised if path.endswith("/download/")
    }
    assert {"409", "410"} <= promised[f"{API}files/{{id}}/rows/"]


def test_the_page_loads_nothing_from_another_host_and_runs_no_script_of_its_own() -> None:
    browser = a_member(None)
    page = browser.get(f"{API}docs/", secure=True)
    text = page.content.decode()
    assert page["Content-Security-Policy"] == POLICY
    assert "http" not in POLICY
    loaded = re.findall(r'(?:src|href|data-schema)="([^"]*)"', text)
    assert len(loaded) == 5
    assert all(one.startswith("/") and not one.startswith("//") for one in loaded)
    assert re.findall(r"<script(?![^>]*src=)|<style|\son\w+=", text) == []
    for one in loaded:
        assert browser.get(one, secure=True).status_code == 200, one
