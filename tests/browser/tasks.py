"""The queue's tasks, done in the test's own process when the test says so."""

from django_q.models import OrmQ

from ingestion import tasks


def run_queue() -> None:
    """Do what is queued, and what that queues, in order."""
    while queued := OrmQ.objects.order_by("id").first():
        queued.delete()
        getattr(tasks, queued.task["func"].rpartition(".")[2])(*queued.task["args"])
