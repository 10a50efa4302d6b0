"""A connection's home: what the client is sent, what its access is like, what will be loaded."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from ingestion.access.enabling import disable, enable
from ingestion.access.state import access_state
from ingestion.artefacts import artefacts
from ingestion.errors import IngestionError
from ingestion.models import ClientConnection, Export
from ingestion.plan import plan
from ingestion.queueing import queue_access_check, request_discovery
from ingestion.staff_actions import record

LIGHTS = {
    "unchecked": ("idle", "Not checked"),
    "running": ("busy", "Being checked"),
    "passed": ("good", "Access works"),
    "warned": ("warn", "Access works, with warnings"),
    "failed": ("bad", "Access check failed"),
    "lost": ("bad", "Access lost"),
}
VERDICTS = {"passed": "good", "warning": "warn", "failed": "bad", "skipped": "idle"}


@require_GET
def home_page(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The three steps of onboarding; once they are done, where the connection is looked after."""
    connection = _connection(model_admin, request, pk)
    try:
        texts, no_texts = artefacts(connection), ""
    except IngestionError as error:
        texts, no_texts = [], f"{error} {error.next_action}"
    context = {
        **model_admin.admin_site.each_context(request),
        **_ladder(connection),
        "title": connection.name,
        "opts": ClientConnection._meta,
        "texts": texts,
        "no_texts": no_texts,
        "plan": plan(connection),
        "why_not_enabled": connection.why_not_enabled(),
        "decisions": Export.Decision,
        "last_run": connection.discovery_runs.first(),
        "staff_actions": connection.staff_actions.select_related("source_file")[:10],
        "may_onboard": request.user.has_perm("ingestion.onboard_clientconnection"),
        "may_discover": request.user.has_perm("ingestion.discover_clientconnection"),
    }
    return TemplateResponse(request, "admin/ingestion/clientconnection/home.html", context)


@require_GET
def ladder_part(request: HttpRequest, model_admin: Any, pk: int) -> HttpResponse:
    """The ladder alone, asked for again while a check runs."""
    connection = _connection(model_admin, request, pk)
    return TemplateResponse(request, "admin/ingestion/clientconnection/ladder.html", _ladder(connection))


@require_GET
def artefact_download(request: HttpRequest, model_admin: Any, pk: int, name: str) -> HttpResponse:
    """One text for the client, as a file."""
    connection = _connection(model_admin, request, pk)
    found = next((one for one in artefacts(connection) if one.name == name), None)
    if found is None:
        raise Http404
    disposition = {"Content-Disposition": f'attachment; filename="{found.filename}"'}
    return HttpResponse(found.text, content_type=f"{found.content_type}; charset=utf-8", headers=disposition)


@require_POST
def act(request: HttpRequest, model_admin: Any, pk: int, what: str) -> HttpResponse:
    """Do what a button of the page says, and go back to it."""
    connection = _connection(model_admin, request, pk)
    if what not in ACTS:
        raise Http404
    permission, do = ACTS[what]
    if not request.user.has_perm(f"ingestion.{permission}_clientconnection"):
        raise PermissionDenied
    try:
        messages.success(request, do(request, connection))
    except ValidationError as refused:
        messages.error(request, " ".join(refused.messages))
    return HttpResponseRedirect(reverse("admin:ingestion_clientconnection_home", args=[pk]))


def _verify(request: HttpRequest, connection: ClientConnection) -> str:
    queue_access_check(connection.pk, request.user.get_username())
    record(request.user.get_username(), "check access", connection=connection)
    return "The access check is queued; this page shows it rung by rung."


def _discover(request: HttpRequest, connection: ClientConnection) -> str:
    request_discovery(connection, request.user.get_username())
    return "A discovery is queued. Nothing is loaded by it while the connection is disabled."


def _decide(request: HttpRequest, connection: ClientConnection) -> str:
    export = get_object_or_404(Export, connection=connection, pk=request.POST.get("export") or 0)
    decision = request.POST.get("decision")
    if decision not in (Export.Decision.LOAD, Export.Decision.IGNORE):
        raise ValidationError("Decide to load the export, or not to.")
    before, export.decision = export.decision, decision
    export.save(update_fields=["decision"])
    detail = {"export": export.name, "before": before, "after": decision}
    record(request.user.get_username(), "decide export", connection=connection, detail=detail)
    return f"{export.name}: {export.get_decision_display()}."


def _start(request: HttpRequest, connection: ClientConnection) -> str:
    enable(connection, request.user.get_username())
    request_discovery(connection, request.user.get_username())
    return "Approved: the connection is enabled, and a discovery is queued."


def _stop(request: HttpRequest, connection: ClientConnection) -> str:
    disable(connection, request.user.get_username())
    return "Disabled. Nothing is deleted; what loads now goes on to its end."


Act = Callable[[HttpRequest, ClientConnection], str]
ACTS: dict[str, tuple[str, Act]] = {
    "verify": ("onboard", _verify),
    "discover": ("discover", _discover),
    "decide": ("onboard", _decide),
    "start": ("onboard", _start),
    "stop": ("onboard", _stop),
}


def _ladder(connection: ClientConnection) -> dict[str, Any]:
    state = access_state(connection)
    tone, light = LIGHTS[state.verdict]
    rungs = state.check.rungs if state.check else []
    return {
        "connection": connection,
        "state": state,
        "tone": tone,
        "light": light,
        "rungs": [{**rung, "tone": VERDICTS[rung["verdict"]]} for rung in rungs],
    }


def _connection(model_admin: Any, request: HttpRequest, pk: int) -> ClientConnection:
    connection = get_object_or_404(ClientConnection.objects.select_related("client"), pk=pk)
    if not model_admin.has_view_permission(request, connection):
        raise PermissionDenied
    return connection
