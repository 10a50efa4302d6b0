"""The queue's broker: django-q2's own for PostgreSQL, in the order in which tasks were queued."""

from typing import Any

from django_q.brokers.orm import ORM


class OldestFirst(ORM):
    """Hands out the task that was queued first.

    django-q2 names no order, and PostgreSQL then keeps none: a new task is stored where a finished one was,
    and may be met before one that has waited for long.
    """

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        """The queue's tasks, as every question of the broker begins; django-q2 has no types."""
        return ORM.get_connection(list_key).order_by("pk")
