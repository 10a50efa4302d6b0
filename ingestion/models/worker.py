"""The workers of the queue, and their signs of life."""

from django.db import models


class Worker(models.Model):
    """One `manage.py worker`: a supervisor, and the cluster of processes it keeps working."""

    name = models.CharField(max_length=200, help_text="Host and process id of the supervisor.")
    started_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, help_text="The supervisor's last sign of life.")
    stopped_at = models.DateTimeField(null=True)
    cluster_pid = models.IntegerField(
        null=True, help_text="django-q2's main process: the only one to signal."
    )
    begun_at = models.DateTimeField(null=True, help_text="When a task last began in it.")
    ended_at = models.DateTimeField(null=True, help_text="When a task last ended in it.")
    recorded_at = models.DateTimeField(null=True, help_text="When the end of a task was last recorded.")
    restarts = models.PositiveIntegerField(default=0)
    restart_reason = models.TextField(blank=True, help_text="Why the cluster was last restarted.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
