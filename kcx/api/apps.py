"""Django's name for the read API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "kcx.api"
    label = "api"
    verbose_name = "API"
