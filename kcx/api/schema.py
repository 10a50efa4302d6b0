"""How the API describes itself: what drf-spectacular cannot find out."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "kcx.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token; the word `Token` opens as well."""
        return {"type": "http", "scheme": "bearer", "description": "A service user's token."}
