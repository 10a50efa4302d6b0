"""What signs a webhook, after the Standard Webhooks convention: made when it is needed, never stored."""

import base64
import hashlib
import hmac
import secrets
from contextlib import suppress

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from ingestion.events.errors import WebhookUnsigned
from ingestion.models import WebhookEndpoint

PREFIX = "whsec_"
SALT = "kcx.webhook"


def new_seed() -> str:
    """256 random bits, of which Django's SECRET_KEY makes the secret."""
    return secrets.token_hex(32)


def secret_of(seed: str, fingerprint: str = "") -> str:
    """`whsec_` and 256 bits in base64; with a fingerprint, by the key that makes the secret it is of.

    Raises WebhookUnsigned where neither SECRET_KEY nor its fallbacks do.
    """
    for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]:
        digest = salted_hmac(SALT, seed, secret=key, algorithm="sha256").digest()
        secret = PREFIX + base64.b64encode(digest).decode()
        if not fingerprint or hmac.compare_digest(fingerprint_of(secret), fingerprint):
            return secret
    raise WebhookUnsigned("SECRET_KEY is no longer the one that made this webhook's secret.")


def fingerprint_of(secret: str) -> str:
    """16 hexadecimal digits that tell secrets apart and tell nothing of them."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def signed_headers(endpoint: WebhookEndpoint, message_id: str, body: bytes) -> dict[str, str]:
    """The three headers, signed now; by the former secret, too, while that is valid and can be made.

    Raises WebhookUnsigned where the newest secret cannot be made.
    """
    now = timezone.now()
    known = [secret_of(endpoint.seed, endpoint.fingerprint)]
    if endpoint.former_until and now < endpoint.former_until:
        with suppress(WebhookUnsigned):  # a new secret is what helps where Django's key was changed
            known.append(secret_of(endpoint.former_seed, endpoint.former_fingerprint))
    timestamp = str(int(now.timestamp()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(one, message_id, timestamp, body) for one in known),
    }


def _signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
