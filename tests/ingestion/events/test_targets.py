"""Webhooks go to allowed hosts on the public internet, and nowhere else."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from ingestion.events.errors import WebhookAddressRefused, WebhookHostRefused
from ingestion.events.outbox import record_test
from ingestion.events.targets import addresses_of, target_of
from tests.ingestion.events.conftest import LOOPBACK, an_endpoint
from tests.ingestion.events.receiver import Receiver, receiver, self_signed
from tests.ingestion.events.test_sending import tried

pytestmark = pytest.mark.django_db

REFUSED = [
    "127.0.0.1",
    "169.254.169.254",
    "0.0.0.0",  # noqa: S104  # refused, not bound to
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[::ffff:127.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "[fec0::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[ff0e::1]",
    "[2002:7f00:1::1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::1]",
    "[2001:db8::1]",
    "[2001::1]",
    "2130706433",
    "0x7f.1",
    "localhost",
]


@pytest.fixture
def secure(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver by HTTPS as `hooks.test`, whose authority the machine trusts; it resolves to loopback."""
    certificate = self_signed(tmp_path / "hooks.pem", "hooks.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with receiver(certificate) as running:
        settings.KCX_WEBHOOK_HOSTS = [f"hooks.test:{running.port}"]
        settings.KCX_WEBHOOK_NETWORKS = [LOOPBACK]
        yield running


def resolving_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """What the name `hooks.test` is at each look-up; answers which were made. No test has a DNS."""
    looked_up: list[str] = []
    really = socket.getaddrinfo

    def resolve(host: str, port: int, *rest: Any, **options: Any) -> list[Any]:
        if host != "hooks.test":
            return list(really(host, port, *rest, **options))
        looked_up.append(host)
        addresses = answers[min(len(looked_up), len(answers)) - 1]
        return [really(address, port, type=socket.SOCK_STREAM)[0] for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return looked_up


@pytest.mark.parametrize("host", REFUSED)
def test_addresses_that_are_not_public_are_refused_though_the_host_is_allowed(
    settings: Any, host: str
) -> None:
    settings.KCX_WEBHOOK_HOSTS = [host]
    delivery = tried(record_test(an_endpoint(f"https://{host}/")))
    assert delivery.error_code == "webhook_address_refused", delivery.error_message


@pytest.mark.parametrize("address", [host.strip("[]") for host in REFUSED[:-3]])
def test_a_name_that_resolves_to_such_an_address_is_refused(
    settings: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    settings.KCX_WEBHOOK_HOSTS = ["hooks.test"]
    resolving_to(monkeypatch, ["93.184.215.14", address])
    with pytest.raises(WebhookAddressRefused):
        addresses_of(target_of("https://hooks.test/"))


def test_public_addresses_are_not_refused(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.KCX_WEBHOOK_HOSTS = ["hooks.test"]
    public = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]
    resolving_to(monkeypatch, public)
    assert addresses_of(target_of("https://hooks.test/")) == public


def test_https_is_verified_by_the_name_and_connected_to_the_checked_address(
    secure: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = resolving_to(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    delivery = tried(record_test(an_endpoint(f"https://hooks.test:{secure.port}/in")))
    assert delivery.status_code == 204, delivery.error_message
    assert looked_up == ["hooks.test"], "resolved once: what the name says next changes nothing"
    assert secure.names == ["hooks.test"]
    assert secure.requests[0].headers["host"] == f"hooks.test:{secure.port}"


def test_a_name_that_is_bound_to_another_address_meanwhile_is_refused_at_the_next_try(
    secure: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, ["127.0.0.1"], ["169.254.169.254"])
    message = record_test(an_endpoint(f"https://hooks.test:{secure.port}/"))
    secure.will(500)
    tried(message)
    assert tried(message).error_code == "webhook_address_refused"
    assert len(secure.requests) == 1


def test_the_next_address_is_tried_where_the_first_does_not_answer(
    secure: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving_to(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    assert tried(record_test(an_endpoint(f"https://hooks.test:{secure.port}/"))).status_code == 204


@pytest.mark.parametrize(
    ("name", "days", "trusted", "why"),
    [
        ("other.test", 1, True, "Hostname mismatch"),
        ("hooks.test", -1, True, "expired"),
        ("hooks.test", 1, False, "self-signed"),
    ],
)
def test_a_certificate_that_is_not_valid_for_the_name_is_refused(
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    days: int,
    trusted: bool,
    why: str,
) -> None:
    certificate = self_signed(tmp_path / "bad.pem", name, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    resolving_to(monkeypatch, ["127.0.0.1"])
    with receiver(certificate) as running:
        settings.KCX_WEBHOOK_HOSTS = [f"hooks.test:{running.port}"]
        settings.KCX_WEBHOOK_NETWORKS = [LOOPBACK]
        delivery = tried(record_test(an_endpoint(f"https://hooks.test:{running.port}/")))
        assert delivery.error_code == "webhook_certificate"
        assert why in delivery.error_message
        assert running.requests == []


def test_a_proxy_of_the_environment_is_not_used(listening: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert tried(record_test(an_endpoint(f"http://127.0.0.1:{listening.port}/"))).status_code == 204
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ([], "https://hooks.test/"),
        (["hooks.test"], "https://evil.test/"),
        (["hooks.test"], "http://hooks.test/"),
        (["hooks.test"], "https://hooks.test:8443/"),
        (["hooks.test"], "https://hooks.test.evil.test/"),
        (["hooks.test"], "https://a.hooks.test/"),
        (["hooks.test"], "https://hooks.test@evil.test/"),
        (["hooks.test"], "https://evil.test@hooks.test/"),
        (["hooks.test"], "https://evil.test#@hooks.test/"),
        (["hooks.test"], "https://hooks.test/#part"),
        (["hooks.test"], "https://hooks.test/a b"),
        (["hooks.test"], "https://hooks.test/\r\nX-Other: 1"),
        (["hooks.test"], "https://hooks.test:99999/"),
        (["hooks.test"], "https://hooks.test\\@evil.test/"),
        (["hooks.test"], "https://hööks.test/"),
        (["hooks.test"], "ftp://hooks.test/"),
        (["hooks.test"], "file:///etc/passwd"),
        (["hooks.test"], "//hooks.test/"),
        (["hooks.test"], "https:///"),
        (["http://hooks.test"], "https://hooks.test/"),
    ],
)
def test_what_no_administrator_allowed_is_refused(settings: Any, allowed: list[str], url: str) -> None:
    settings.KCX_WEBHOOK_HOSTS = allowed
    with pytest.raises(WebhookHostRefused):
        target_of(url)


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        ("hooks.test", "https://hooks.test"),
        ("hooks.test", "https://HOOKS.test:443/a?b=c"),
        ("hooks.test:8443", "https://hooks.test:8443/"),
        ("http://hooks.test:8080", "http://hooks.test:8080/"),
    ],
)
def test_what_an_administrator_allowed_is_a_target(settings: Any, allowed: str, url: str) -> None:
    settings.KCX_WEBHOOK_HOSTS = [allowed]
    assert target_of(url).host == "hooks.test"


@pytest.mark.parametrize(
    ("hosts", "networks", "found"),
    [
        (["hooks.test"], ["10.0.0.0/8"], []),
        (["https://user@hooks.test"], [], ["kcx.E005"]),
        ([], ["10.0.0.1/8"], ["kcx.E005"]),
        ([], ["everything"], ["kcx.E005"]),
    ],
)
def test_rules_that_cannot_be_read_are_told(
    settings: Any, hosts: list[str], networks: list[str], found: list[str]
) -> None:
    settings.KCX_WEBHOOK_HOSTS, settings.KCX_WEBHOOK_NETWORKS = hosts, networks
    assert [message.id for message in run_checks() if message.id == "kcx.E005"] == found
