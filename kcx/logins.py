"""How often a password may be tried. django-axes counts, in the database; kcx/locked_out.py tells."""

from datetime import timedelta

BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
MOST_TRIES, LOCKED_FOR = 5, timedelta(minutes=15)
# One name from one address: nobody locks others out from afar. Behind a proxy all addresses are the proxy's.
COUNTED_BY = [["username", "ip_address"]]
NOT_KEPT = ["username", "ip_address", "csrfmiddlewaretoken"]
