"""The addresses of the API, version 1."""

from django.urls import re_path
from rest_framework.routers import DefaultRouter

from kcx.api.clients import Clients, Connections
from kcx.api.resources import Nothing

router = DefaultRouter(use_regex_path=True)
router.include_format_suffixes = False
router.register("clients", Clients, "clients")
router.register("connections", Connections, "connections")

app_name = "api"
urlpatterns = [
    *router.urls,
    re_path("", Nothing.as_view(), name="nothing"),
]
