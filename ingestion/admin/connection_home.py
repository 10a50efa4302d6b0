"""A connection's home: what the client is sent, what its access is like, what will be loaded."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from ingestion.access.excess import NOT_TESTED
from ingestion.access.ladder import STEPS
from ingestion.access.state import AccessState, access_state
from ingestion.admin.connection_now import now, waits
from ingestion.admin.polled import polled
from ingestion.artefacts import artefacts
from ingestion.errors import IngestionError
from ingestion.models import AccessCheck, ClientConnection, Export
from ingestion.plan import ROWS_PER_SECOND, PlannedExport, plan
from ingestion.queueing import CHECK_ACCESS

LIGHTS = {
    "unchecked": ("idle", "Not checked"),
    "running": ("busy", "Being checked"),
    "passed": ("good", "Access works"),
    "warned": ("warn", "Access works, with warnings"),
    "failed": ("bad", "Access check failed"),
    "lost": ("bad", "Access lost"),
}
VERDICTS = {"passed": "good", "warning": "warn", "failed": "bad", "skipped": "idle"}
PARTS = "admin/ingestion/clientconnection"
Outcome = AccessCheck.Outcome
BEGUN_AFTER = timedelta(minutes=2)


@require_GET
def home_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The three steps of onboarding; once they are done, where the connection is looked after."""
    connection = connection_seen(model_admin, request, pk)
    try:
        texts, no_texts = artefacts(connection), ""
    except IngestionError as error:
        texts, no_texts = [], f"{error} {error.next_action}"
    planned = plan(connection)
    context = {
        **model_admin.admin_site.each_context(request),
        **_ladder(connection),
        **now(connection),
        "title": connection.name,
        "opts": ClientConnection._meta,
        "texts": texts,
        "no_texts": no_texts,
        "plan": planned,
        "to_load": _totals(planned),
        "rate": ROWS_PER_SECOND,
        "decisions": Export.Decision.choices,
        "staff_actions": connection.staff_actions.select_related("source_file")[:10],
        "may_onboard": request.user.has_perm("ingestion.onboard_clientconnection"),
        "may_discover": request.user.has_perm("ingestion.discover_clientconnection"),
        "why_not_discovered": connection.why_not_discovered(),
        "why_not_enabled": connection.why_not_enabled(),
    }
    return TemplateResponse(request, f"{PARTS}/home.html", context)


def guarded(site: AdminSite, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, for who may; parts that are polled as `polled` says."""
    return polled(site, view) if view in (ladder_part, now_part) else site.admin_view(view)


@require_GET
def ladder_part(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The ladder alone, asked for again while a check runs; once it ended the whole page is."""
    connection = connection_seen(model_admin, request, pk)
    ladder = _ladder(connection)
    answer = TemplateResponse(request, f"{PARTS}/ladder.html", ladder)
    if ladder["state"].verdict != "running":
        answer["HX-Refresh"] = "true"
    return answer


@require_GET
def now_part(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """What happens now, asked for again while it does; once a discovery ended the whole page is."""
    found = now(connection_seen(model_admin, request, pk))
    answer = TemplateResponse(request, f"{PARTS}/now.html", found)
    if "discovering" in request.GET and not found["discovering"]:
        answer["HX-Refresh"] = "true"
    return answer


@require_GET
def artefact_download(request: HttpRequest, model_admin: Any, pk: int, name: str) -> HttpResponse:
    """One text for the client, as a file."""
    connection = connection_seen(model_admin, request, pk)
    try:
        found = next((one for one in artefacts(connection) if one.name == name), None)
    except IngestionError as error:
        return HttpResponse(f"{error} {error.next_action}\n", status=503, content_type="text/plain")
    if found is None:
        raise Http404
    disposition = {"Content-Disposition": f'attachment; filename="{found.filename}"'}
    return HttpResponse(found.text, content_type=f"{found.content_type}; charset=utf-8", headers=disposition)


def connection_seen(model_admin: Any, request: HttpRequest, pk: int) -> ClientConnection:
    """The connection. Raises Http404, or PermissionDenied for whoever may not look at it."""
    connection = get_object_or_404(ClientConnection.objects.select_related("client"), pk=pk)
    if not model_admin.has_view_permission(request, connection):
        raise PermissionDenied
    return connection


def _ladder(connection: ClientConnection) -> dict[str, Any]:
    state = access_state(connection)
    tone, light = LIGHTS[state.verdict]
    rungs = state.check.rungs if state.check else []
    running = state.verdict == "running"
    return {
        "connection": connection,
        "state": state,
        "tone": tone,
        "light": light,
        "rungs": [{**rung, "tone": VERDICTS[rung["verdict"]]} for rung in rungs],
        "steps": len(STEPS),
        "not_tested": NOT_TESTED if state.verdict in ("passed", "warned") else "",
        "check_waits": waits(CHECK_ACCESS, state.check.pk) if running and state.check and not rungs else None,
        "broken_off": _broken_off(connection, state),
        "may_verify": not running or _waits_long(state.check),
    }


def _broken_off(connection: ClientConnection, state: AccessState) -> AccessCheck | None:
    """The newest check, where it told nothing and the verdict rests on an older one."""
    newest = connection.access_checks.first()
    return newest if newest and newest != state.check and newest.outcome == Outcome.CRASHED else None


def _waits_long(check: AccessCheck | None) -> bool:
    """Has nobody begun it for so long that its task may be lost?"""
    return check is not None and not check.rungs and check.started_at < timezone.now() - BEGUN_AFTER


def _totals(planned: list[PlannedExport]) -> dict[str, int]:
    """What waits of the exports that are to be loaded, or may yet be."""
    chosen = [one for one in planned if one.decision != Export.Decision.IGNORE.label]
    return {
        "files": sum(one.files for one in chosen),
        "bytes": sum(one.bytes for one in chosen),
        "rows": sum(one.estimated_rows for one in chosen),
        "seconds": sum(one.estimated_seconds for one in chosen),
    }
