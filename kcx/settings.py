"""KCX's settings: everything that differs between machines comes from the environment."""

from pathlib import Path
from typing import Any

import environ

from kcx import logins, masking, navigation, page_policy
from kcx.api import conf as api
from kcx.local import local_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

# ---- where KCX runs: a real database, or the embedded one of a single machine ----------------------

DATA_DIR = Path(env.str("KCX_DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
EMBEDDED = not env.str("DATABASE_URL", default="")
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = local_secret_key(DATA_DIR) if EMBEDDED and "SECRET_KEY" not in env else env.str("SECRET_KEY")
# Former keys: what they signed, webhooks among it, stays valid.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

_database: dict[str, Any] = (
    {"ENGINE": "kcx.embedded", "NAME": "kcx", "HOST": str(DATA_DIR / "postgres")}
    if EMBEDDED
    else env.db("DATABASE_URL", engine="django.db.backends.postgresql")
)
_database |= {
    "CONN_MAX_AGE": 60,
    "CONN_HEALTH_CHECKS": True,
    "OPTIONS": {
        **_database.get("OPTIONS", {}),
        # Nothing waits long for a lock: a page or a discovery says "loading now" instead. The server ends the
        # session of a host that is gone, and frees its locks, in about a minute (by a Unix socket at once).
        "options": "-c lock_timeout=5000 -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10"
        " -c tcp_keepalives_count=3 -c tcp_user_timeout=60000",
        # The same on this side.
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 60000,
    },
}
DATABASES = {
    "default": _database,
    # The same database by a second session: a load's attempt and progress are seen while its rows are not.
    "progress": {**_database, "TEST": {"MIRROR": "default"}},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---- the parts -------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "kcx.apps.KcxConfig",
    "ingestion.apps.IngestionConfig",
    "billing.apps.BillingConfig",
    "unfold",
    "kcx.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_q",
    "axes",
    *api.APPS,
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = logins.BACKENDS
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "kcx.urls"
WSGI_APPLICATION = "kcx.wsgi.application"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
STATIC_URL = "static/"
# Static files are served from the installed packages: no collectstatic between a clone and a page.
WHITENOISE_USE_FINDERS = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"

# ---- security: strict unless the machine is the developer's own ------------------------------------

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not EMBEDDED
SECURE_HSTS_SECONDS = 0 if EMBEDDED else env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not EMBEDDED
SECURE_REDIRECT_EXEMPT = [r"^healthz(/worker)?$"]
CONTENT_SECURITY_POLICY = {"DIRECTIVES": page_policy.DIRECTIVES}
AXES_FAILURE_LIMIT, AXES_COOLOFF_TIME = logins.MOST_TRIES, logins.LOCKED_FOR
AXES_LOCKOUT_PARAMETERS, AXES_SENSITIVE_PARAMETERS = logins.COUNTED_BY, logins.NOT_KEPT
AXES_LOCKOUT_CALLABLE = "kcx.login_guard.locked_out"
# Who was let in is forgiven; who tries on while locked out is not locked out for longer.
AXES_RESET_ON_SUCCESS, AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = True, False
AXES_ENABLE_ADMIN, AXES_CLIENT_IP_CALLABLE = False, "kcx.login_guard.address_of"
# A working day.
SESSION_COOKIE_AGE = 12 * 3600
if env.bool("BEHIND_TLS_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# ---- the queue: a doorbell, never the truth (docs/architecture.md) ---------------------------------

Q_CLUSTER = {
    "name": "kcx",
    "label": "Queue",
    "orm": "default",
    "broker_class": "ingestion.oldest_first.OldestFirst",
    "workers": env.int("KCX_WORKERS", default=2),
    "timeout": env.int("KCX_TASK_TIMEOUT_SECONDS", default=6 * 3600),
    # Waiting time counts against `retry`, and a task that is delivered twice does nothing the second time.
    "retry": env.int("KCX_TASK_RETRY_SECONDS", default=24 * 3600),
    "queue_limit": 1,
    "bulk": 1,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 1000,
    "recycle": 50,
    "poll": 1,
}

# `manage.py worker`: a cluster that takes no task for so long is started anew; one that must stop may finish
# its tasks for so long.
KCX_STALE_SECONDS = env.float("KCX_STALE_SECONDS", default=180)
KCX_WORKER_MEMORY_MB = env.int("KCX_WORKER_MEMORY_MB", default=4096)
KCX_DRAIN_SECONDS = env.float("KCX_DRAIN_SECONDS", default=300)

# ---- ingestion -------------------------------------------------------------------------------------

# The account clients trust in their role; by default the account of KCX's own identity.
KCX_AWS_ACCOUNT_ID = env.str("KCX_AWS_ACCOUNT_ID", default="")
# Caps on one file, far above what real exports need (ratio: at most 60): what is beyond them is refused.
KCX_MAX_ROW_BYTES = env.int("KCX_MAX_ROW_BYTES", default=64 * 2**20)
KCX_MAX_VALUE_BYTES = env.int("KCX_MAX_VALUE_BYTES", default=16 * 2**20)
KCX_MAX_COLUMNS = env.int("KCX_MAX_COLUMNS", default=10_000)
KCX_MAX_ROWS = env.int("KCX_MAX_ROWS", default=10**9)
KCX_MAX_DECODED_BYTES = env.int("KCX_MAX_DECODED_BYTES", default=2**40)
KCX_MAX_RATIO = env.int("KCX_MAX_RATIO", default=500)
KCX_MAX_RATIO_FROM_BYTES = env.int("KCX_MAX_RATIO_FROM_BYTES", default=2**30)
# AWS may take so many seconds to answer a call, and fall so far behind the rate below.
KCX_AWS_SECONDS = env.float("KCX_AWS_SECONDS", default=180)
# A gigabyte then takes 4.7 hours at most: less than a task's six.
KCX_MIN_BYTES_PER_SECOND = env.int("KCX_MIN_BYTES_PER_SECOND", default=64 * 2**10)
# So many files are verified against S3 each week, those not verified for longest.
KCX_VERIFY_WEEKLY_FILES = env.int("KCX_VERIFY_WEEKLY_FILES", default=0)
# IAM may take so many seconds to make a new role or policy known; an access check waits for it.
KCX_IAM_SECONDS = env.float("KCX_IAM_SECONDS", default=10)
# Few: whatever else is queued waits behind them.
KCX_QUEUE_DEPTH = env.int("KCX_QUEUE_DEPTH", default=2 * Q_CLUSTER["workers"])

# ---- the read API ----------------------------------------------------------------------------------

REST_FRAMEWORK, REST_KNOX, SPECTACULAR_SETTINGS = api.REST_FRAMEWORK, api.REST_KNOX, api.SPECTACULAR_SETTINGS
KNOX_TOKEN_MODEL, MIGRATION_MODULES = api.KEYS, api.WITHOUT_MIGRATIONS
# Of one token, in each web process: the count is held in its memory.
KCX_API_REQUESTS_PER_MINUTE = env.int("KCX_API_REQUESTS_PER_MINUTE", default=600)

# ---- events (docs/events.md) -----------------------------------------------------------------------

# Where webhooks may go: `host`, `host:port`, or `http://host:port`. None by default: nothing goes out.
KCX_WEBHOOK_HOSTS = env.list("KCX_WEBHOOK_HOSTS", default=[])
# Networks, as 10.1.0.0/16, that such a host may be in although they are not public.
KCX_WEBHOOK_NETWORKS = env.list("KCX_WEBHOOK_NETWORKS", default=[])

LOGGING = masking.logging_to_stderr(env.str("LOG_LEVEL", default="WARNING"))
UNFOLD = navigation.UNFOLD
