"""How often a password may be tried: counted by django-axes, in the database; see kcx/login_guard.py."""

from datetime import timedelta

BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
MOST_TRIES, LOCKED_FOR = 5, timedelta(minutes=15)
# One name from one address: nobody locks others out from afar.
COUNTED_BY = [["username", "ip_address"]]
NOT_KEPT = ["username", "ip_address", "csrfmiddlewaretoken"]
