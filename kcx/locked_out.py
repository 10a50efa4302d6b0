"""The page for somebody whose password is not looked at for a while."""

from collections.abc import Mapping

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from kcx.logins import LOCKED_FOR, MOST_TRIES


def locked_out(
    request: HttpRequest, _answer: HttpResponse | None, _credentials: Mapping[str, str] | None
) -> HttpResponse:
    """What django-axes answers with instead of the login's own page: status 429."""
    told = {"tries": MOST_TRIES, "locked_for": LOCKED_FOR}
    return render(request, "kcx/locked_out.html", admin.site.each_context(request) | told, status=429)
