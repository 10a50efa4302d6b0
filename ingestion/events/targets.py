"""Where a webhook may go: hosts an administrator allowed, at addresses of the public internet."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from ingestion.events.errors import WebhookAddressRefused, WebhookHostRefused, WebhookUnanswered

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PORTS = {"https": 443, "http": 80}
# IPv4 addresses in the clothes of IPv6: mapped, NAT64, 6to4. A host or gateway may take them for its own
# network's; what Python says of them has changed between its versions.
DISGUISED = [ipaddress.ip_network(text) for text in ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16")]
# Private once, and still routed so in places. Python 3.11 takes it for public.
SITE_LOCAL = ipaddress.ip_network("fec0::/10")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in its parts. `path` has the query, too."""

    scheme: str
    host: str
    port: int
    path: str


def target_of(url: str) -> Target:
    """Raises WebhookHostRefused where no entry of KCX_WEBHOOK_HOSTS allows scheme, host and port."""
    target = _parsed(url)
    allowed = [entry_of(entry) for entry in settings.KCX_WEBHOOK_HOSTS]
    if (target.scheme, target.host, target.port) not in {(one.scheme, one.host, one.port) for one in allowed}:
        raise WebhookHostRefused(
            f"{target.scheme}://{target.host}:{target.port} is not in KCX_WEBHOOK_HOSTS."
        )
    return target


def addresses_of(target: Target) -> list[str]:
    """The host's addresses, resolved now and each checked: connect to one of them, never to the name.

    Raises WebhookAddressRefused where one of them is refused, WebhookUnanswered where there is none.
    """
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise WebhookUnanswered(f"The name {target.host} does not resolve.") from error
    addresses = list(dict.fromkeys(str(where[0]) for *_, where in found))
    for address in addresses:
        if not _may_be_reached(ipaddress.ip_address(address)):
            raise WebhookAddressRefused(
                f"{target.host} resolves to {address}, which is not a public address."
            )
    return addresses


def entry_of(entry: str) -> Target:
    """What an entry of KCX_WEBHOOK_HOSTS allows: host, host:port, http://host:port. Raises as target_of."""
    return _parsed(entry if "//" in entry else f"https://{entry}")


def networks() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks that an administrator allowed though they are not public. Raises ValueError."""
    return [ipaddress.ip_network(entry) for entry in settings.KCX_WEBHOOK_NETWORKS]


def _may_be_reached(address: Address) -> bool:
    if any(address in network for network in networks()):
        return True
    if any(address in network for network in [*DISGUISED, SITE_LOCAL]):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _parsed(url: str) -> Target:
    refused = WebhookHostRefused("A webhook's URL is https://host/path, without user, password or fragment.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused from None
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise refused
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or PORTS[parts.scheme], path)
