"""The dashboard's own addresses, under the admin's."""

from django.contrib import admin
from django.urls import path

from kcx.dashboard.views import coverage, live

app_name = "kcx"
urlpatterns = [
    path("dashboard/live", live, name="live"),
    path("coverage/", admin.site.admin_view(coverage), name="coverage"),
]
