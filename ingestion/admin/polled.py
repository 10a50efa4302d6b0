"""Parts of pages that are asked for again and again while they are looked at."""

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse


def polled(site: AdminSite, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The view, for who may; a reader whose login ended gets the login as a page, not inside the part."""
    seen: Callable[..., HttpResponse] = site.admin_view(view)

    def asked(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if not site.has_permission(request):
            return HttpResponse(status=403, headers={"HX-Refresh": "true"})
        return seen(request, **arguments)

    return asked
