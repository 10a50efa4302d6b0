"""The addresses KCX answers at."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.generic import RedirectView

from ingestion.status import a_worker_works


def healthz(_request: HttpRequest) -> HttpResponse:
    """Answers 200 while the web process serves requests; asks nothing of the database."""
    return HttpResponse("ok\n", content_type="text/plain")


def healthz_worker(_request: HttpRequest) -> HttpResponse:
    """Answers 200 while some worker works, 503 where none does: for a health check or an alarm."""
    if a_worker_works():
        return HttpResponse("ok\n", content_type="text/plain")
    return HttpResponse("no worker takes tasks\n", content_type="text/plain", status=503)


# The pages are loaded here and not with Django: no command needs them.
admin.autodiscover()

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("healthz/worker", healthz_worker),
    path("api/v1/", include("kcx.api.urls")),
    path("admin/", include("kcx.dashboard.urls")),
    path("admin/", admin.site.urls),
]
