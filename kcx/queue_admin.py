"""Pages to read the queue by. django-q2's own could run any code, and delete what failed."""

import base64
import binascii
import io
import pickle
from typing import Any

import django_q.admin  # noqa: F401  # registers its pages, so that they can be replaced here
from django.contrib import admin
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django_q.models import Failure, OrmQ, Schedule, Success, Task

from ingestion.admin.history import HistoryAdmin
from ingestion.time_tag import time_tag

PICKLED = ("args", "kwargs", "result")

for model in (Failure, OrmQ, Schedule, Success):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class _PlainUnpickler(pickle.Unpickler):
    """Reads text, numbers and lists; a pickle that names any code is refused."""

    def find_class(self, module_name: str, global_name: str) -> object:
        raise pickle.UnpicklingError(f"names {module_name}.{global_name}")


@admin.register(Success, Failure)
class TaskAdmin(HistoryAdmin):
    list_display = ["name", "func", "started", "stopped", "attempt_count"]
    search_fields = ["name", "func"]
    fields = ["id", "name", "func", "cluster", "started", "stopped", "attempt_count", "told"]
    ordering = ["-stopped"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        """Without the pickles: who can write this table could else run code in the reader's process."""
        tasks = super().get_queryset(request).defer(*PICKLED)
        readable: QuerySet[Task] = tasks.annotate(pickled_result=Cast("result", TextField()))
        return readable

    @admin.display(description="Result")
    def told(self, task: Any) -> str:
        """What the task answered, or what went wrong in it."""
        return plain_result(task.pickled_result or "")


@admin.register(Schedule)
class ScheduleAdmin(HistoryAdmin):
    list_display = ["name", "func", "schedule_type", "minutes", "repeats", "next_run"]
    fields = ["name", "func", "args", "schedule_type", "minutes", "repeats", "next_run"]
    ordering = ["name"]


@admin.register(OrmQ)
class QueuedTaskAdmin(HistoryAdmin):
    list_display = ["id", "name", "func", "taken_until"]
    fields = ["id", "name", "func", "taken_until"]

    @admin.display(description="Free, or taken until", ordering="lock")
    def taken_until(self, task: OrmQ) -> str:
        """When a task that a worker has taken is given out again."""
        return time_tag(task.lock)


def plain_result(pickled: str) -> str:
    """The text of a task's result; what is not plain values is not read at all."""
    try:
        return str(_PlainUnpickler(io.BytesIO(base64.b64decode(pickled))).load())
    except (pickle.UnpicklingError, binascii.Error, EOFError, ValueError, IndexError, KeyError) as error:
        return f"(not shown: {error})"
