"""The customers of KCX."""

from django.db import models


class Client(models.Model):
    """A customer of KCX."""

    name = models.CharField(max_length=200, unique=True)
    enabled = models.BooleanField(default=True, help_text="Nothing of a disabled client is listed or loaded.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
