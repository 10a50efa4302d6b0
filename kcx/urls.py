"""The addresses KCX answers at."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.generic import RedirectView


def healthz(_request: HttpRequest) -> HttpResponse:
    """Answers 200 while the web process serves requests; asks nothing of the database."""
    return HttpResponse("ok\n", content_type="text/plain")


urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("admin/", admin.site.urls),
]
