"""The dashboard, its live part and the coverage calendar, as pages."""

from datetime import UTC
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from ingestion.models import Client, ClientConnection, Export
from ingestion.status import a_worker_works
from kcx.dashboard.attention import attention
from kcx.dashboard.calendar import calendar
from kcx.dashboard.charts import bytes_chart, lag_chart, rows_chart
from kcx.dashboard.connections import Line, lines
from kcx.dashboard.figures import last_days, storage
from kcx.dashboard.listing import Choice, listing
from kcx.dashboard.reloads import failed_reloads
from kcx.dashboard.webhooks import given_up

SHOWN_CLIENTS = 10
Context = dict[str, Any]


def may_read(request: HttpRequest) -> bool:
    """Viewers, operators, onboarders and superusers may."""
    return request.user.has_perm("ingestion.view_clientconnection")


def dashboard(request: HttpRequest, context: Context) -> Context:
    """The index's context, as django-unfold's DASHBOARD_CALLBACK."""
    if not may_read(request):
        return {**context, "may_read": False}
    found = lines()
    days, stored = last_days(), storage()
    return {
        **context,
        "title": "Dashboard",
        "may_read": True,
        **_live(request, found),
        **_calendar(request, default=_worst_delivered(found)),
        "days": days,
        "charts": [rows_chart(days), bytes_chart(days), lag_chart(days)],
        "storage": stored[:SHOWN_CLIENTS],
        "other_storage": sum(one.bytes for one in stored[SHOWN_CLIENTS:]),
        "other_clients": len(stored[SHOWN_CLIENTS:]),
    }


def live(request: HttpRequest) -> HttpResponse:
    """The part that htmx asks for again and again. A reader whose login ended is sent to the login."""
    if not admin.site.has_permission(request):
        return HttpResponse(status=403, headers={"HX-Refresh": "true"})
    if not may_read(request):
        raise PermissionDenied
    return render(request, "kcx/dashboard/live.html", _live(request, lines()))


def coverage(request: HttpRequest) -> HttpResponse:
    """The coverage calendar of one connection or one client, on its own page."""
    if not may_read(request):
        raise PermissionDenied
    context = {**admin.site.each_context(request), "title": "Coverage calendar"}
    first = ClientConnection.objects.order_by("name").values_list("pk", flat=True).first()
    return render(request, "kcx/dashboard/coverage.html", {**context, **_calendar(request, default=first)})


def _live(request: HttpRequest, found: list[Line]) -> Context:
    choice = Choice(request.GET.get("q", ""), request.GET.get("state", ""), request.GET.get("page", "1"))
    query = {"q": choice.words, "state": choice.state}
    return {
        "attention": attention(
            found, worker_works=a_worker_works(), reloads=failed_reloads(), webhooks=given_up()
        ),
        "listing": listing(found, choice),
        "query": urlencode({name: value for name, value in query.items() if value}),
        "words_query": urlencode({"q": choice.words}) if choice.words else "",
        "page_query": urlencode({**query, "page": choice.page}),
        "now": timezone.now(),
    }


def _worst_delivered(found: list[Line]) -> int | None:
    """The worst connection that has a calendar to show; else the worst."""
    delivered = [line.id for line in found if line.expectation.last]
    return next(iter([*delivered, *(line.id for line in found)]), None)


def _calendar(request: HttpRequest, default: int | None) -> Context:
    client, connection = _number(request, "client"), _number(request, "connection")
    if client:
        exports = Export.objects.filter(connection__client=client)
    else:
        connection = connection or default
        exports = Export.objects.filter(connection=connection)
    today = timezone.now().astimezone(UTC).date()
    return {
        "calendar": calendar(exports, today, everything="all" in request.GET),
        "calendar_client": client,
        "calendar_connection": None if client else connection,
        "calendar_query": urlencode({"client": client} if client else {"connection": connection}),
        "connection_choices": list(ClientConnection.objects.order_by("name").values_list("pk", "name")),
        "client_choices": list(Client.objects.order_by("name").values_list("pk", "name")),
    }


def _number(request: HttpRequest, name: str) -> int | None:
    asked = request.GET.get(name, "")
    # An id is a bigint: what is longer names nothing.
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= 18 else None
