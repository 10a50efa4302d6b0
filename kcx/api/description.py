"""The API's description: OpenAPI 3.1, and a page to read it by, for whoever has a token and for staff."""

from typing import Any

from django.contrib.auth.models import User
from django.templatetags.static import static
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kcx.api.authentication import TokenAuthentication

# Of KCX's own host only; Swagger UI sets styles from its script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SWAGGER = "drf_spectacular_sidecar/swagger-ui-dist"


class StaffSession(BaseAuthentication):
    """Staff who are logged in; for the description only, which tells of no client."""

    def authenticate(self, request: Request) -> tuple[User, None] | None:
        """The person, where there is one."""
        user = getattr(request._request, "user", None)  # as Django's session tells it
        return (user, None) if isinstance(user, User) and user.is_active and user.is_staff else None


class Schema(SpectacularJSONAPIView):
    authentication_classes = [TokenAuthentication, StaffSession]
    permission_classes = [IsAuthenticated]


class Docs(APIView):
    authentication_classes = [TokenAuthentication, StaffSession]
    permission_classes = [IsAuthenticated]
    renderer_classes = [TemplateHTMLRenderer]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """The page; everything it loads is KCX's own."""
        files = {
            name: static(f"{SWAGGER}/{file}")
            for name, file in (("style", "swagger-ui.css"), ("script", "swagger-ui-bundle.js"))
        }
        headers: dict[str, Any] = {"Content-Security-Policy": POLICY}
        return Response(files, template_name="api/docs.html", headers=headers)
