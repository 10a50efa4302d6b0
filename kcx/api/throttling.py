"""How often a token may ask."""

from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class TokenThrottle(SimpleRateThrottle):
    """KCX_API_REQUESTS_PER_MINUTE of one token, counted by each web process for itself."""

    scope = "token"

    def get_rate(self) -> str:
        """As Django REST framework writes a rate."""
        return f"{settings.KCX_API_REQUESTS_PER_MINUTE}/minute"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """One count for each token; none where staff look at the docs."""
        return f"api-token-{request.auth.pk}" if request.auth is not None else None
