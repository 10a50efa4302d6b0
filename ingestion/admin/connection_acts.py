"""What the buttons of a connection's home do: one call into the core each, by POST only."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from ingestion.access.enabling import disable
from ingestion.admin.connection_forms import RoleForm
from ingestion.admin.connection_home import connection_seen
from ingestion.decisions import approve, decide_all
from ingestion.models import ClientConnection, Export
from ingestion.onboarding import enter_role
from ingestion.queueing import queue_access_check, request_discovery
from ingestion.staff_actions import record

# The names of the plan's fields: this and the export's id.
DECISION = "decision-"


@require_POST
def act(request: HttpRequest, model_admin: Any, pk: int, what: str) -> HttpResponse:
    """Do what a button of the page says, and go back to it."""
    connection = connection_seen(model_admin, request, pk)
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


@transaction.atomic
def _verify(request: HttpRequest, connection: ClientConnection) -> str:
    check = queue_access_check(connection.pk, _person(request))
    record(_person(request), "check access", connection=connection, detail={"access_check": check.pk})
    return "The access check is queued; this page shows it rung by rung."


def _role(request: HttpRequest, connection: ClientConnection) -> str:
    entered = RoleForm(request.POST)
    if not entered.is_valid():
        raise ValidationError([told for of_field in entered.errors.values() for told in of_field])
    enter_role(connection, entered.cleaned_data["role_arn"], _person(request))
    return "The role is entered: verify access now."


def _discover(request: HttpRequest, connection: ClientConnection) -> str:
    request_discovery(connection, _person(request))
    if connection.enabled:
        return "A discovery is queued."
    return "A first look is queued: it registers what is there and loads nothing."


def _decide(request: HttpRequest, connection: ClientConnection) -> str:
    changed = decide_all(connection, _decisions(request), _person(request))
    return f"Decisions saved: {changed} changed."


def _start(request: HttpRequest, connection: ClientConnection) -> str:
    approve(connection, _decisions(request), _person(request))
    return "Approved: the connection is enabled, and a discovery is queued."


def _stop(request: HttpRequest, connection: ClientConnection) -> str:
    disable(connection, _person(request), request.POST.get("reason", "").strip())
    return "Disabled. Nothing is deleted; what loads now goes on to its end."


def _decisions(request: HttpRequest) -> dict[int, Export.Decision]:
    """The plan's choices by export. Raises ValidationError for what the page never sends."""
    sent = {name: value for name, value in request.POST.items() if name.startswith(DECISION)}
    try:
        return {int(name.removeprefix(DECISION)): Export.Decision(str(value)) for name, value in sent.items()}
    except ValueError as error:
        raise ValidationError("Decide to load each export, not to load it, or to decide later.") from error


def _person(request: HttpRequest) -> str:
    return request.user.get_username()


Act = Callable[[HttpRequest, ClientConnection], str]
ACTS: dict[str, tuple[str, Act]] = {
    "role": ("onboard", _role),
    "verify": ("onboard", _verify),
    "discover": ("discover", _discover),
    "decide": ("onboard", _decide),
    "start": ("onboard", _start),
    "stop": ("onboard", _stop),
}
