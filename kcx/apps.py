"""Django's name for the composition root."""

from django.apps import AppConfig


class KcxConfig(AppConfig):
    name = "kcx"
    verbose_name = "KCX"
