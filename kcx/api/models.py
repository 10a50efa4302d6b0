"""Service users, each with a scope, and their tokens: hashed, expiring, revocable."""

from contextlib import suppress
from datetime import timedelta

from django.db import DatabaseError, models, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AbstractAuthToken, get_digest_token
from knox.settings import CONSTANTS

from ingestion.models import Client, ClientConnection

NOTED_EVERY = timedelta(minutes=1)


class ServiceUser(models.Model):
    """A program that reads the API. Not an account: it has no password and no page."""

    class Scope(models.TextChoices):
        ALL = "ALL", "All clients"
        NAMED = "NAMED", "Named clients"

    is_authenticated = True
    is_anonymous = False

    name = models.CharField(max_length=150, unique=True, help_text="The program, and whose it is.")
    scope = models.CharField(max_length=10, choices=Scope, default=Scope.NAMED)
    clients = models.ManyToManyField(
        Client, blank=True, related_name="+", help_text="Whose data it may read."
    )
    enabled = models.BooleanField(default=True, help_text="Off: none of its tokens opens anything.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def readable_clients(self) -> QuerySet[Client]:
        """The clients of its scope; those made later are of the scope `ALL` too."""
        return Client.objects.all() if self.scope == self.Scope.ALL else self.clients.all()

    def readable_connections(self) -> QuerySet[ClientConnection]:
        """The connections of its scope."""
        every = ClientConnection.objects.all()
        if self.scope == self.Scope.ALL:
            return every
        return every.filter(client__in=list(self.clients.values_list("pk", flat=True)))


class Token(AbstractAuthToken):
    """One key of a service user. What is kept is its digest, and its first characters to tell it by."""

    user = models.ForeignKey(ServiceUser, models.PROTECT, related_name="+")
    objects: "models.Manager[Token]" = models.Manager()
    made_by = models.CharField(max_length=200)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True, help_text="To the minute.")

    class Meta:
        ordering = ["-created"]
        constraints = [models.CheckConstraint(condition=Q(expiry__isnull=False), name="token_expires")]

    def __str__(self) -> str:
        return f"{self.token_key}... of {self.user}"

    @property
    def is_open(self) -> bool:
        """Does it open anything now?"""
        return self.revoked_at is None and self.user.enabled and self.expiry > timezone.now()

    def note_use(self) -> None:
        """Keep when it was last used: a token nobody uses can go, one used at night is asked about.

        Where the database takes no writes nothing is kept, and the API can be read all the same.
        """
        now = timezone.now()
        if self.last_used_at is None or now - self.last_used_at > NOTED_EVERY:
            with suppress(DatabaseError), transaction.atomic():
                Token.objects.filter(pk=self.pk).update(last_used_at=now)

    @classmethod
    def make(cls, user: ServiceUser, made_by: str, lasts: timedelta) -> tuple["Token", str]:
        """A new token and its secret, which nobody can read again."""
        digest, secret = get_digest_token()
        token = cls.objects.create(
            digest=digest,
            token_key=secret[: CONSTANTS.TOKEN_KEY_LENGTH],
            user=user,
            expiry=timezone.now() + lasts,
            made_by=made_by,
        )
        return token, secret

    @classmethod
    def of_secret(cls, secret: str) -> "Token | None":
        """The token with this secret, if it was ever made."""
        return cls.objects.select_related("user").filter(digest=hash_token(secret)).first()
