"""Errors as problem JSON (RFC 9457)."""

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
    NotFound,
    Throttled,
    ValidationError,
)
from rest_framework.response import Response

CONTENT_TYPE = "application/problem+json"
logger = logging.getLogger(__name__)


class Gone(APIException):
    """What was there and is no more, as the rows of a pruned delivery."""

    status_code = HTTPStatus.GONE
    default_code = "gone"
    default_detail = "It was here and is no more."


def answer(error: Exception, context: dict[str, Any]) -> Response:
    """The response to an error raised in a view. An unforeseen one is logged and told without its words."""
    if isinstance(error, Http404 | PermissionDenied):
        error = NotFound("There is no such thing here.")
    if not isinstance(error, APIException):
        logger.error("unforeseen, at %s", context["request"].path, exc_info=error)
        error = APIException("Something went wrong; it is in KCX's log.", code="error")
    response = Response(_problem(error), error.status_code, headers=_headers(error))
    response.content_type = CONTENT_TYPE
    return response


def _problem(error: APIException) -> dict[str, Any]:
    status = HTTPStatus(error.status_code)
    problem: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": status.value}
    if isinstance(error, ValidationError):
        return problem | {"detail": "Look at the errors.", "code": "invalid", "errors": error.detail}
    return problem | {"detail": str(error.detail), "code": error.get_codes()}


def _headers(error: APIException) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, AuthenticationFailed | NotAuthenticated):
        headers["WWW-Authenticate"] = str(getattr(error, "auth_header", ""))
    if isinstance(error, Throttled):
        headers["Retry-After"] = str(int(getattr(error, "wait", None) or 0) + 1)
    return headers
