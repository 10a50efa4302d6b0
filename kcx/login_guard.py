"""What django-axes asks: where a login comes from, and what somebody sees whose password is not looked at."""

from collections.abc import Mapping
from ipaddress import ip_address

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kcx.logins import LOCKED_FOR, MOST_TRIES


def address_of(request: HttpRequest) -> str | None:
    """The browser's address; behind the TLS proxy of the settings, what that has added to the header last.

    What stands before it in the header is whatever the browser sent. None where there is no address.
    """
    told: str = request.META.get("REMOTE_ADDR", "")
    if settings.SECURE_PROXY_SSL_HEADER:
        told = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip() or told
    try:
        return str(ip_address(told))
    except ValueError:
        return None


def locked_out(
    request: HttpRequest, _answer: HttpResponse | None, _credentials: Mapping[str, str] | None
) -> HttpResponse:
    """The page instead of the login's own: status 429."""
    told = {"tries": MOST_TRIES, "locked_for": LOCKED_FOR}
    return render(request, "kcx/locked_out.html", admin.site.each_context(request) | told, status=429)
