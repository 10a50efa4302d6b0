"""The WSGI entry point for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kcx.settings")
application = get_wsgi_application()

# Before the first request: a page that cannot be loaded stops the start, and is not found by whoever asks.
from kcx import urls  # noqa: E402, F401
