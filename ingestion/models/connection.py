"""Connections: the bucket + prefix of a client that KCX reads through a role."""

import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from billing.partitions import create_partition
from ingestion.arns import misfits, partition_of
from ingestion.models.client import Client

ROLE_ARN = r"^arn:(aws|aws-cn|aws-us-gov):iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
KMS_KEY_ARN = r"^arn:(aws|aws-cn|aws-us-gov):kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"
BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]+$"
ACCOUNT_ID = r"^[0-9]{12}$"
# A name that is all digits could not be told from an id on the command line.
NAME = r"[^0-9]"
PURGED = (
    "It was purged: its rows were erased for good, and nothing of it is listed or loaded again."
    " Add another connection where the client comes back."
)

MOVED = "A connection stays its client's: its role and external id are that client's. Add another connection."


def new_external_id() -> str:
    """A random external id: KCX makes it, nobody enters it."""
    return str(uuid.uuid4())


class ClientConnection(models.Model):
    """One bucket + prefix of a client, reached by one IAM role."""

    FROZEN = ("bucket", "prefix")

    client = models.ForeignKey(Client, models.PROTECT, related_name="connections")
    name = models.CharField(max_length=200, unique=True, validators=[RegexValidator(NAME)])
    bucket = models.CharField(max_length=63, validators=[RegexValidator(BUCKET)])
    prefix = models.CharField(
        max_length=1024, blank=True, help_text="Used exactly as entered: S3 keeps every slash apart."
    )
    region = models.CharField(max_length=30, default="us-east-1", validators=[RegexValidator(REGION)])
    role_arn = models.CharField(max_length=2048, blank=True, validators=[RegexValidator(ROLE_ARN)])
    external_id = models.CharField(max_length=64, unique=True, editable=False, default=new_external_id)
    bucket_owner = models.CharField(
        max_length=12,
        blank=True,
        validators=[RegexValidator(ACCOUNT_ID)],
        help_text="The account that owns the bucket, where it is not the role's own.",
    )
    kms_key_arn = models.CharField(
        "KMS key ARN", max_length=2048, blank=True, validators=[RegexValidator(KMS_KEY_ARN)]
    )
    enabled = models.BooleanField(default=False)
    load_new_exports = models.BooleanField(
        "load whatever appears", default=False, help_text="Off: a new export waits for a decision."
    )
    load_history = models.BooleanField(
        "load all history", default=False, help_text="Off: only the current delivery of each billing period."
    )
    unverified_reason = models.TextField(
        blank=True, help_text="Why it was enabled without a passed access check; set in the shell only."
    )
    discover_every = models.DurationField(default=timedelta(hours=1))
    next_discovery_at = models.DateTimeField(default=timezone.now)
    last_discovered_at = models.DateTimeField(null=True, editable=False)
    reads_refused_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="When a load found that nothing can be read; no file is loaded until something can.",
    )
    discovery_requested_by = models.CharField(max_length=200, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    purged_at = models.DateTimeField(
        null=True, editable=False, help_text="When all its rows were erased, for good."
    )

    class Meta:
        ordering = ["name"]
        permissions = [
            ("discover_clientconnection", "Can ask for a discovery"),
            ("onboard_clientconnection", "Can check access, approve the plan and enable"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(role_arn="") | Q(role_arn__regex=ROLE_ARN), name="connection_role_arn"
            ),
            models.CheckConstraint(condition=Q(bucket__regex=BUCKET), name="connection_bucket"),
            models.CheckConstraint(condition=Q(name__regex=NAME), name="connection_name_is_no_number"),
            models.CheckConstraint(
                condition=Q(enabled=False) | ~Q(role_arn=""), name="connection_enabled_has_role"
            ),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(purged_at=None), name="connection_purged_is_disabled"
            ),
            models.CheckConstraint(
                condition=Q(discover_every__gte=timedelta(minutes=1)), name="connection_discover_every"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, **options: Any) -> None:  # Django's signature
        """Save; a new connection gets its partition of raw rows in the same transaction."""
        new = self._state.adding
        with transaction.atomic():
            super().save(**options)
            if new:
                create_partition(self.pk)

    @property
    def owner(self) -> str:
        """The account that must own the bucket: sent with every call to S3. '' while no role is known."""
        return self.bucket_owner or (self.role_arn.split(":")[4] if self.role_arn else "")

    @property
    def partition(self) -> str:
        """The AWS partition: aws, aws-cn or aws-us-gov; told by the role, else by the region."""
        if self.role_arn:
            return self.role_arn.split(":")[1]
        return partition_of(self.region)

    @property
    def subject(self) -> dict[str, str]:
        """All that an access check is about: once it changes, what was checked counts no more."""
        fields = ("role_arn", "bucket", "prefix", "region", "bucket_owner", "kms_key_arn")
        return {field: getattr(self, field) for field in fields}

    def why_not_enabled(self, reason: str = "") -> str:
        """Why it may not be enabled, as a sentence; '' where it may.

        `reason` stands in for a passed access check, never for one that found the role unsafe.
        """
        if self.purged_at:
            return PURGED
        if not self.role_arn:
            return "Enter the client's role first."
        checks = self.access_checks.filter(outcome__in=["PASSED", "WARNED", "FAILED"]) if self.pk else None
        of_role = checks.filter(subject__role_arn=self.role_arn).first() if checks is not None else None
        if of_role and of_role.found_unsafe:
            return "Never with this role as it is: it lets KCX in without the right external id."
        newest = checks.first() if checks is not None else None
        if reason or (newest and newest.let_in and newest.subject == self.subject):
            return ""
        return "Verify access first: only a connection whose newest access check passed may be enabled."

    def why_not_discovered(self) -> str:
        """Why a person may not ask for a discovery, as a sentence; '' where they may.

        One that is not enabled is looked at for its plan, but never through a role that was not verified.
        """
        if self.purged_at:
            return PURGED
        if not self.client.enabled:
            return "The client is disabled: nothing of it is listed or loaded."
        return "" if self.enabled else self.why_not_enabled()

    def clean(self) -> None:
        """Refuse what cannot belong together, to enable what is not verified, and to move what has files.

        Its registry would speak of another bucket. A reason to enable it unverified counts when it is made.
        """
        before = ClientConnection.objects.filter(pk=self.pk).first()
        if before and before.client_id != self.client_id:
            raise ValidationError({"client": MOVED})
        if (before is None or before.subject != self.subject) and (wrong := self._misfits()):
            raise ValidationError(wrong)
        was_enabled = before is not None and before.enabled and before.role_arn == self.role_arn
        why_not = self.why_not_enabled("" if before else self.unverified_reason)
        if self.enabled and not was_enabled and why_not:
            if before and before.enabled:
                raise ValidationError({"role_arn": f"Disable it before it gets another role. {why_not}"})
            raise ValidationError({"enabled": why_not})
        if before is None or not self.files.exists():
            return
        changed = [name for name in self.FROZEN if getattr(before, name) != getattr(self, name)]
        if changed:
            raise ValidationError(
                dict.fromkeys(
                    changed, "Frozen: files of this connection are registered. Add another connection."
                )
            )

    def _misfits(self) -> dict[str, str]:
        """By field, why role, key and region cannot belong together, or the role not to this client."""
        found = misfits(self.role_arn, self.kms_key_arn, self.region, settings.KCX_AWS_ACCOUNT_ID)
        same_role = ClientConnection.objects.exclude(client=self.client_id).exclude(role_arn="")
        other = same_role.filter(role_arn=self.role_arn).select_related("client").first()
        if other:
            told = f"This is the role of {other.client}: each client makes a role of its own for KCX."
            found.setdefault("role_arn", told)
        return found
