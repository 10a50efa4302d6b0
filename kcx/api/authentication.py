"""Who asks: a token tells the service user, and nothing else does."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from kcx.api.models import ServiceUser, Token

SCHEMES = {b"token", b"bearer"}
REFUSED = "The token is unknown, expired or revoked."


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Token <secret>` or `Bearer <secret>`; one answer for whatever is wrong with it."""

    def authenticate(self, request: Request) -> tuple[ServiceUser, Token] | None:
        """The service user and its token; None without the header. Raises AuthenticationFailed."""
        parts = get_authorization_header(request).split()
        if not parts:
            return None
        if len(parts) != 2 or parts[0].lower() not in SCHEMES:
            raise AuthenticationFailed("Send the header as: Authorization: Token <secret>.")
        token = Token.of_secret(parts[1].decode("latin-1"))
        if token is None or not token.is_open:
            raise AuthenticationFailed(REFUSED)
        token.note_use()
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 asks for."""
        return 'Token realm="KCX"'


class IsServiceUser(BasePermission):
    """Lets in whom a token told."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Was it a service user?"""
        return isinstance(request.user, ServiceUser)
