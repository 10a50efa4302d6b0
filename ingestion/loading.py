"""How far a load is that runs, as every page tells it."""

from dataclasses import dataclass
from datetime import datetime

from ingestion.models import LoadAttempt


@dataclass(frozen=True, slots=True)
class Loading:
    """A load that runs. Sizes in bytes of the object; rate and time left are None until it has read."""

    file_id: int
    key: str
    rows: int
    bytes_read: int
    size: int
    seconds: float

    @classmethod
    def of(cls, attempt: LoadAttempt) -> "Loading":
        """As the running attempt last told it."""
        file = attempt.source_file
        told_at: datetime = attempt.progress_at or attempt.started_at
        seconds = (told_at - attempt.started_at).total_seconds()
        return cls(file.pk, file.key, attempt.rows, attempt.bytes_read, file.size, seconds)

    @property
    def name(self) -> str:
        """The key's last part."""
        return self.key.rstrip("/").rpartition("/")[2]

    @property
    def percent(self) -> int:
        """Of the object's bytes, 0 to 100: a Parquet file's footer is read twice."""
        return min(100, 100 * self.bytes_read // self.size) if self.size else 0

    @property
    def rows_per_second(self) -> float | None:
        """Since it began."""
        return self.rows / self.seconds if self.seconds else None

    @property
    def seconds_left(self) -> float | None:
        """At the pace it had so far."""
        if not self.bytes_read or not self.seconds:
            return None
        return max(self.size - self.bytes_read, 0) * self.seconds / self.bytes_read
