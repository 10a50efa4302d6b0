"""Why a webhook did not arrive: leaves of the one error tree, each tried again. None tells a URL's path."""

from ingestion.errors import TransientError


class WebhookHostRefused(TransientError):
    """The webhook's URL is not one of KCX_WEBHOOK_HOSTS."""

    code = "webhook_host_refused"
    next_action = "Let an administrator add the host to KCX_WEBHOOK_HOSTS, or correct the URL."


class WebhookAddressRefused(TransientError):
    """The webhook's host resolves to an address that is not on the public internet."""

    code = "webhook_address_refused"
    next_action = "Correct the host's DNS, or let an administrator add its network to KCX_WEBHOOK_NETWORKS."


class WebhookUnsigned(TransientError):
    """Django's SECRET_KEY was changed: what signed this webhook can no longer be made."""

    code = "webhook_unsigned"
    next_action = "Put the former key into SECRET_KEY_FALLBACKS, or make a new secret on the webhook's page."


class WebhookUnanswered(TransientError):
    """The receiver could not be reached, broke the connection, or took too long."""

    code = "webhook_unanswered"


class WebhookCertificate(TransientError):
    """The receiver's certificate is not valid for its host."""

    code = "webhook_certificate"
    next_action = "Ask the receiver to renew or correct its certificate; KCX tries again by itself."


class WebhookRefused(TransientError):
    """The receiver answered with another status than 2xx."""

    code = "webhook_refused"
    next_action = "Ask the receiver to look at its log; KCX tries again by itself, for about three days."
