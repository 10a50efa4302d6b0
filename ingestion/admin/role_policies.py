"""The policies of a connection's role, as its form shows them."""

import json

from django.utils.html import format_html

from ingestion.errors import IngestionError
from ingestion.models import ClientConnection
from ingestion.onboarding import policies_of


def role_policies_shown(connection: ClientConnection) -> str:
    """Both policies, to send to the client; why not, where KCX's own account is not known.

    Made once for this object: a form asks for each of its fields several times, and STS may be slow.
    """
    kept = vars(connection)
    if "role_policies_shown" not in kept:
        kept["role_policies_shown"] = _made(connection)
    shown: str = kept["role_policies_shown"]
    return shown


def _made(connection: ClientConnection) -> str:
    try:
        trust, permission = policies_of(connection)
    except IngestionError as error:
        return f"{error} {error.next_action}"
    return format_html(
        "<p>Trust policy</p><pre>{}</pre><p>Permission policy</p><pre>{}</pre>",
        json.dumps(trust, indent=2),
        json.dumps(permission, indent=2),
    )
