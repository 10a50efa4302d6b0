"""How the API describes itself: what drf-spectacular cannot find out."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from kcx.api.pagination import PageQuery
from kcx.api.problems import CONTENT_TYPE


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "kcx.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token; the word `Token` opens as well."""
        return {"type": "http", "scheme": "bearer", "description": "A service user's token."}


PROBLEMS = {
    "400": "A parameter is unknown or has a wrong value.",
    "401": "No token, or one that is unknown, expired or revoked.",
    "404": "It does not exist, or not in the token's scope.",
    "406": "It cannot be answered in the form the Accept header asks for.",
    "429": "The token asks too often; Retry-After says when to come back.",
}
# Of raw rows only.
OF_ROWS = {
    "409": "It exists, and its rows are not all there: not loaded, not complete, or nothing is current.",
    "410": "The rows that the cursor or pin names were replaced or taken away.",
}
OF_DOWNLOADS = {"505": "HTTP/1.0 cannot tell a cut download from a whole one: ask by HTTP/1.1."}
PROBLEM = {
    "type": "object",
    "description": "A problem (RFC 9457).",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable: for programs."},
        "errors": {"type": "object", "description": "What is wrong, by parameter."},
    },
}


class Described(AutoSchema):
    """Describes a list's parameters by the serializers that check them."""

    def get_override_parameters(self) -> list[Any]:
        """What narrows the list, and what pages it."""
        view: Any = self.view
        if not hasattr(view, "takes"):
            return []
        query = view.takes()
        taken = [query] if query().fields else []
        return [*taken, PageQuery] if view.action in {"list", "rows"} else taken


def add_problems(result: dict[str, Any], **_generator: Any) -> dict[str, Any]:
    """The answers that any operation may give instead of its own."""
    result["components"]["schemas"]["Problem"] = PROBLEM
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in result["paths"].items():
        for operation in operations.values():
            if path.endswith("}/"):
                operation["responses"].setdefault("304", {"description": "It is as If-None-Match names it."})
            of_rows = OF_ROWS if path.endswith(("/rows/", "/download/", "/receipt/")) else {}
            of_downloads = OF_DOWNLOADS if path.endswith("/download/") else {}
            for status, description in (PROBLEMS | of_rows | of_downloads).items():
                operation["responses"].setdefault(status, {"description": description, "content": content})
    return result
