"""The audit of what KCX did in a client's account."""

from django.db import models

from ingestion.models.connection import ClientConnection


class AwsUse(models.Model):
    """The requests of one run. `calls`: by operation, how many were sent, and of these how many refused.

    Begun before the first request. One without `ended_at` runs, or broke off: its requests are not known.
    """

    class Kind(models.TextChoices):
        """By the first letter of `run`."""

        DISCOVERY = "d", "Discovery"
        LOAD = "a", "Load"
        ACCESS_CHECK = "c", "Access check"
        VERIFICATION = "v", "Verification"
        ROW = "r", "One row read again"
        OLDER_DELIVERY = "o", "Older delivery looked up"
        PUBLISHING = "p", "Manifest checked before publishing"

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="aws_uses")
    run = models.CharField(max_length=30, help_text="As CloudTrail shows it behind kcx-c<connection>-.")
    actor = models.CharField(max_length=200, help_text="Who asked for it: a person, or the schedule.")
    subject = models.TextField(help_text="What was read.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    calls = models.JSONField(default=dict)
    bytes_received = models.BigIntegerField(default=0)
    session_arn = models.TextField(
        "ARN of the session",
        default="",
        db_default="",
        blank=True,
        help_text="As STS named it, and CloudTrail does.",
    )
    request_ids = models.JSONField(
        default=dict,
        db_default=models.Value({}, models.JSONField()),
        blank=True,
        help_text="By operation, of the last that was answered and the last refused.",
    )

    class Meta:
        ordering = ["-id"]
        verbose_name = "use of a client's account"
        verbose_name_plural = "uses of clients' accounts"
        indexes = [
            models.Index(fields=["connection", "-started_at", "-id"], name="awsuse_connection"),
            models.Index(fields=["run"], name="awsuse_run"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.run}"

    @property
    def kind(self) -> str:
        """What KCX did."""
        return str(self.Kind(self.run[0]).label)

    @property
    def session_name(self) -> str:
        """As CloudTrail shows it."""
        return f"kcx-c{self.connection_id}-{self.run}"

    @property
    def ids_text(self) -> str:
        """The request ids, as `GetObject:<id> <extended id>; ...`."""
        named = ((name, one) for name, ids in self.request_ids.items() for one in ids.values())
        return "; ".join(f"{name}:{one}" for name, one in named)
