"""The addresses of the API, version 1."""

from django.urls import path, re_path
from rest_framework.routers import DefaultRouter

from kcx.api.clients import Clients, Connections
from kcx.api.deliveries import Deliveries, Receipts, Restatements
from kcx.api.description import Docs, Schema
from kcx.api.exports import CoverageOf, Drift, Exports
from kcx.api.files import Attempts, Files
from kcx.api.resources import Nothing

router = DefaultRouter(use_regex_path=False)
router.include_format_suffixes = False
router.register("clients", Clients, "clients")
router.register("connections", Connections, "connections")
router.register("exports", Exports, "exports")
router.register("coverage", CoverageOf, "coverage")
router.register("drift", Drift, "drift")
router.register("deliveries", Deliveries, "deliveries")
router.register("restatements", Restatements, "restatements")
router.register("receipts", Receipts, "receipts")
router.register("files", Files, "files")
router.register("attempts", Attempts, "attempts")

app_name = "api"
urlpatterns = [
    *router.urls,
    path("schema/", Schema.as_view(), name="schema"),
    path("docs/", Docs.as_view(), name="docs"),
    re_path("", Nothing.as_view(), name="nothing"),
]
