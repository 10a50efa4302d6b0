"""Do the attempts tell what was done to the workers? Every fault found is a sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import QuerySet

from ingestion.errors import S3Unavailable, StreamBroken
from ingestion.models import LoadAttempt
from ingestion.worker_errors import WorkerCrashed
from tests.crash.cases import ON_THE_WIRE, Case, Fault

Outcome = LoadAttempt.Outcome
TOLD = "The worker died, lost its database session, or could not write down how the load ended."
OF_THE_WIRE = {S3Unavailable.code, StreamBroken.code}


@dataclass
class Witness:
    """Looks at the attempts before, at and after the break of one case."""

    case: Case
    victim: int = 0
    rivals: list[int] = field(default_factory=list)
    running: LoadAttempt | None = None
    last: int = 0

    def before(self) -> None:
        """Attempts from here on are this case's."""
        newest = LoadAttempt.objects.first()
        self.last = newest.pk if newest else 0

    def at_the_break(self) -> None:
        """Which attempt the victim is at."""
        self.running = next((one for one in self._own() if one.outcome == Outcome.RUNNING), None)

    def after(self) -> Iterator[str]:
        """What is told of the break, against what it was."""
        if self.running and self.case.point:
            self.running.refresh_from_db()
            yield from self._told_of_running(self.running)
        may_crash = {
            Fault.KILL: [self.victim],
            Fault.BACKEND: [self.victim],
            Fault.POSTGRES: [self.victim, *self.rivals],
        }.get(self.case.fault, [])
        crashed = list(self._all().filter(outcome=Outcome.CRASHED))
        workers = [process(one) for one in crashed]
        if len(set(workers)) < len(workers) or not set(workers) <= set(may_crash):
            yield f"false story: of {workers} it is told that they crashed, {may_crash} were broken"
        for one in crashed:
            yield from of_crash(one)
        for one in self._all().filter(outcome=Outcome.FAILED):
            if self.case.fault not in ON_THE_WIRE or one.error_code not in OF_THE_WIRE:
                yield f"false story: attempt {one.pk} failed with {one.error_code}: {one.error_message}"

    def failed(self) -> int:
        """How many attempts failed."""
        return self._all().filter(outcome=Outcome.FAILED).count()

    def _told_of_running(self, one: LoadAttempt) -> Iterator[str]:
        wanted = {Outcome.CRASHED}
        if self.case.fault in ON_THE_WIRE:
            wanted = {Outcome.SUCCEEDED, Outcome.FAILED}
        if one.outcome not in wanted:
            yield f"false story: attempt {one.pk} was broken and ended {one.outcome}"

    def _all(self) -> QuerySet[LoadAttempt]:
        return LoadAttempt.objects.filter(pk__gt=self.last)

    def _own(self) -> list[LoadAttempt]:
        return [one for one in self._all() if process(one) == self.victim]


def process(attempt: LoadAttempt) -> int:
    """The id of the process that made it."""
    return int(attempt.worker.rpartition(":")[2])


def of_crash(attempt: LoadAttempt) -> Iterator[str]:
    """A crash is told in words, with its code and its end."""
    told = (attempt.outcome, attempt.error_code, attempt.error_message, attempt.next_action)
    if told != (Outcome.CRASHED, WorkerCrashed.code, TOLD, WorkerCrashed.next_action):
        yield f"false story: attempt {attempt.pk} tells of its crash {told}"
    if attempt.ended_at is None or attempt.ended_at < attempt.started_at:
        yield f"false story: attempt {attempt.pk} ended {attempt.ended_at}, begun {attempt.started_at}"
