"""How the admin looks: its sidebar, its files, and the colour of what can be pressed."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

# A calm blue; each shade reads at 4.5:1 or more where django-unfold puts it on white or on its dark ground.
PRIMARY = {
    "primary": {
        "50": "oklch(97% .014 254.604)",
        "100": "oklch(93.2% .032 255.585)",
        "200": "oklch(88.2% .059 254.128)",
        "300": "oklch(80.9% .105 251.813)",
        "400": "oklch(70.7% .165 254.624)",
        "500": "oklch(62.3% .214 259.815)",
        "600": "oklch(54.6% .245 262.881)",
        "700": "oklch(48.8% .243 264.376)",
        "800": "oklch(42.4% .199 265.638)",
        "900": "oklch(37.9% .146 265.522)",
        "950": "oklch(28.2% .091 267.935)",
    }
}


def _who_may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _item(title: str, icon: str, page: str, permission: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(page), "permission": _who_may(permission)}


def _list(title: str, icon: str, model: str) -> dict[str, Any]:
    app, name = model.split(".")
    return _item(title, icon, f"admin:{app}_{name}_changelist", f"{app}.view_{name}")


SEES = "ingestion.view_clientconnection"
NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            _item("Dashboard", "dashboard", "admin:index", SEES),
            _item("Coverage calendar", "calendar_month", "kcx:coverage", SEES),
        ]
    },
    {
        "title": "Clients",
        "separator": True,
        "items": [
            _list("Clients", "business", "ingestion.client"),
            _list("Connections", "cable", "ingestion.clientconnection"),
            _list("Exports", "inventory_2", "ingestion.export"),
        ],
    },
    {
        "title": "Data",
        "separator": True,
        "items": [
            _list("File registry", "description", "ingestion.sourcefile"),
            _list("Deliveries", "local_shipping", "ingestion.delivery"),
        ],
    },
    {
        "title": "Events",
        "separator": True,
        "items": [
            _list("Events", "notifications", "ingestion.event"),
            _list("Webhooks", "webhook", "ingestion.webhookendpoint"),
            _list("Webhook messages", "outbox", "ingestion.webhookmessage"),
            _list("Webhook tries", "send", "ingestion.webhookdelivery"),
        ],
    },
    {
        "title": "Audit",
        "separator": True,
        "items": [
            _list("Load attempts", "history", "ingestion.loadattempt"),
            _list("Discovery runs", "travel_explore", "ingestion.discoveryrun"),
            _list("Requests to AWS", "cloud_sync", "ingestion.awsuse"),
            _list("Receipts", "receipt_long", "ingestion.receipt"),
            _list("Verifications", "fact_check", "ingestion.verification"),
            _list("Access checks", "key", "ingestion.accesscheck"),
            _list("Staff actions", "badge", "ingestion.staffaction"),
            _list("Workers", "engineering", "ingestion.worker"),
        ],
    },
    {
        "title": "The queue",
        "separator": True,
        "collapsible": True,
        "items": [
            _list("Queued tasks", "pending", "django_q.ormq"),
            _list("Failed tasks", "error", "django_q.failure"),
            _list("Schedules", "schedule", "django_q.schedule"),
        ],
    },
    {
        "title": "API",
        "separator": True,
        "collapsible": True,
        "items": [
            _list("Service users", "smart_toy", "api.serviceuser"),
            _list("Tokens", "key_vertical", "api.token"),
            _item("API docs", "api", "api:docs", SEES),
        ],
    },
    {
        "title": "People",
        "separator": True,
        "collapsible": True,
        "items": [
            _list("Users", "person", "auth.user"),
            _list("Logins", "login", "axes.accesslog"),
            _list("Wrong passwords", "lock_clock", "axes.accessattempt"),
            _list("Groups", "group", "auth.group"),
        ],
    },
]
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "KCX",
    "SITE_HEADER": "KCX",
    "SITE_SUBHEADER": "Raw AWS billing ingestion",
    "SITE_ICON": lambda _request: static("kcx/icon.svg"),
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("kcx/icon.svg")}
    ],
    "STYLES": [lambda _request: static("kcx/kcx.css")],
    "SCRIPTS": [lambda _request: static("kcx/times.js")],
    "DASHBOARD_CALLBACK": "kcx.dashboard.views.dashboard",
    "COLORS": PRIMARY,
    "SIDEBAR": {"show_search": False, "navigation": NAVIGATION},
}
