"""Access checks: what KCX found when it tried a connection's role, rung by rung."""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.db.models import Q

from ingestion.models.connection import ClientConnection


class AccessCheck(models.Model):
    """One climb of the access ladder. `rungs` grows while it runs; a rung is never written again.

    Each rung is an object: code, title, verdict (passed, failed, warning, skipped), told (what was found),
    cause, remedy, error (its code, where it failed).
    """

    # On these a role that lets KCX in as it should not is found: such a role is never used.
    EXTERNAL_ID = ("external_id_missing", "external_id_wrong")
    # The error of a rung that found the bucket to be another account's.
    FOREIGN_BUCKET = "foreign_bucket"
    UNSAFE_ROLE = "unsafe_role"

    class Outcome(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        PASSED = "PASSED", "Passed"
        WARNED = "WARNED", "Passed, with warnings"
        FAILED = "FAILED", "Failed"
        CRASHED = "CRASHED", "Crashed"

    CONCLUSIVE = (Outcome.PASSED, Outcome.WARNED, Outcome.FAILED)

    connection = models.ForeignKey(ClientConnection, models.PROTECT, related_name="access_checks")
    actor = models.CharField(max_length=200, help_text="Who asked for it: a person, or the schedule.")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.RUNNING)
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    rungs = models.JSONField(default=list)
    subject = models.JSONField(
        default=dict,
        help_text="What was checked: the connection's role, bucket, prefix, region, owner and key.",
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="RUNNING", ended_at=None)
                | (~Q(outcome="RUNNING") & Q(ended_at__isnull=False)),
                name="accesscheck_ended",
            )
        ]
        indexes = [models.Index(fields=["connection", "-id"], name="accesscheck_connection")]

    def __str__(self) -> str:
        return f"access check {self.pk} of {self.connection}"

    def save(self, **options: Any) -> None:  # Django's signature
        """Save; a new check is of the connection as it is now."""
        if self._state.adding and not self.subject:
            self.subject = self.connection.subject
        super().save(**options)

    @property
    def let_in(self) -> bool:
        """Did it pass, if with warnings?"""
        return self.outcome in {self.Outcome.PASSED, self.Outcome.WARNED}

    @property
    def broke_off_by(self) -> str:
        """What ended a crashed check before it could tell anything, for people."""
        failed = next((rung for rung in self.rungs if rung["verdict"] == "failed"), None)
        if failed:
            return f"{failed['told']} {failed['remedy']}"
        return "Its worker ended before it." if self.rungs else "No worker began it."

    @property
    def found_unsafe(self) -> bool:
        """Did the role let KCX in without the right external id?"""
        return any(rung["verdict"] == "failed" and self._lets_others_in(rung) for rung in self.rungs)

    @property
    def must_stop(self) -> bool:
        """Did it find what KCX stops for by itself: such a role, or a bucket of another account?"""
        return any(rung["verdict"] == "failed" and self.stops(rung) for rung in self.rungs)

    @classmethod
    def stops(cls, rung: Mapping[str, Any]) -> bool:
        """Is KCX to stop where this rung failed?"""
        return cls._lets_others_in(rung) or rung.get("error") == cls.FOREIGN_BUCKET

    @classmethod
    def _lets_others_in(cls, rung: Mapping[str, Any]) -> bool:
        # An STS that did not answer says nothing of the role. Rungs of older checks do not tell the error.
        return rung.get("code") in cls.EXTERNAL_ID and rung.get("error") in (None, "", cls.UNSAFE_ROLE)
