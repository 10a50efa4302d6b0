"""The page between a wish and its effect: it names the files and asks for the reason."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin

from ingestion import reruns
from ingestion.admin.paging import BoundedPaginator
from ingestion.models import SourceFile
from ingestion.queueing import queue_loads

FILES_SHOWN = 50
MOST_FILES = BoundedPaginator.MOST
TOO_MANY = f"Nothing was done: more than {MOST_FILES:,} files are chosen. Narrow the list first."


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person may want of files. `loads`: those it concerns are to be loaded."""

    title: str
    told: str
    grant: Callable[[QuerySet[SourceFile], str, str], list[int]]
    loads: bool = True


WISHES = {
    "retry_now": Wish("Retry", "Failed files are loaded again now.", reruns.retry),
    "reprocess_now": Wish(
        "Reprocess",
        "Ingested files are read again and their rows replaced in one transaction; failed ones are retried.",
        reruns.reprocess,
    ),
    "skip_now": Wish(
        "Skip",
        "Files that are not loaded are left out until somebody releases them. A delivery that needs one stays"
        " incomplete, and the one before it stays current.",
        reruns.skip,
        loads=False,
    ),
    "release_now": Wish(
        "Release",
        "Files that staff skipped are loaded after all, and archived ones tried: they load once restored.",
        reruns.release,
    ),
}


def ask(
    model_admin: ModelAdmin, request: HttpRequest, files: QuerySet[SourceFile], name: str
) -> HttpResponse | None:
    """Ask for the reason; with one, do it, record it, and go back to where the person came from."""
    keys = list(files.order_by().values_list("pk", flat=True)[: MOST_FILES + 1])
    if len(keys) > MOST_FILES:
        model_admin.message_user(request, TOO_MANY, messages.ERROR)
        return None
    chosen = SourceFile.objects.filter(pk__in=keys)
    if reason := request.POST.get("reason", "").strip():
        _grant(model_admin, request, chosen, WISHES[name], reason)
        only = chosen.first() if chosen.count() == 1 else None
        return (
            HttpResponseRedirect(reverse("admin:ingestion_sourcefile_change", args=[only.pk]))
            if only
            else None
        )
    context = {
        **model_admin.admin_site.each_context(request),
        "title": WISHES[name].title,
        "wish": WISHES[name],
        "action": name,
        "files": chosen.select_related("connection")[:FILES_SHOWN],
        "count": chosen.count(),
        "more": max(chosen.count() - FILES_SHOWN, 0),
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "select_across": request.POST.get("select_across", "0"),
        "reason_missing": "reason" in request.POST,
        "opts": SourceFile._meta,
    }
    return TemplateResponse(request, "admin/ingestion/ask.html", context)


def _grant(
    model_admin: ModelAdmin, request: HttpRequest, files: QuerySet[SourceFile], wish: Wish, reason: str
) -> None:
    done = wish.grant(files, request.user.get_username(), reason)
    told = f"{wish.title}: {len(done)} of {files.count()} files."
    if wish.loads and done:
        waiting = len(done) - queue_loads(SourceFile.objects.filter(pk__in=done))
        if waiting:
            told += f" {waiting} wait: for room in the queue, or because they are not to be loaded."
    model_admin.message_user(request, told, messages.SUCCESS if done else messages.WARNING)
