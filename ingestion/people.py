"""The three groups staff belong to, written by code after every migrate."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

VIEW = Q(content_type__app_label__in=["ingestion", "billing"], codename__startswith="view_")
OPERATE = Q(codename__in=["operate_sourcefile", "discover_clientconnection"])
ONBOARD = Q(
    content_type__app_label="ingestion",
    codename__in=[
        "add_client",
        "change_client",
        "add_clientconnection",
        "change_clientconnection",
        "change_export",
        "discover_clientconnection",
        "onboard_clientconnection",
        "add_webhookendpoint",
        "change_webhookendpoint",
    ],
)
# Reads; also retries, reprocesses, skips, releases and discovers; also makes, checks and enables connections,
# and makes webhooks.
GROUPS = {"viewer": VIEW, "operator": VIEW | OPERATE, "onboarder": VIEW | ONBOARD}


def ensure_groups(**_signal: object) -> None:
    """Make the groups say exactly this. Who belongs to them is the superuser's to say."""
    for name, permissions in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.set(Permission.objects.filter(permissions))
