"""Manifests that could not be read: noted while the others are, and judged after the last one."""

from collections.abc import Callable

from ingestion.deliveries.manifest_objects import ListedManifest
from ingestion.errors import AccessError, ArchivedObject, ChecksumMismatch, TransientError
from ingestion.models import Export
from ingestion.pipeline.retry import OF_THE_CONNECTION

# So many that fail for reasons that pass are an outage, which asking on would only draw out.
OUTAGE = 3
TRIED_AGAIN = "Its manifest cannot be read, and is tried again by each discovery"

Enter = Callable[[ListedManifest, Export, str], None]


class Unread:
    """What went wrong with the manifests of one discovery. `others_read`: one of them could be read.

    `can_read_others` is asked where none could: does S3 let KCX read any other file of the connection?
    """

    def __init__(self, can_read_others: Callable[[AccessError], bool]) -> None:
        self._can_read_others = can_read_others
        self._held: list[tuple[ListedManifest, Export, Exception]] = []
        self._passing: list[TransientError] = []
        self.others_read = False

    def note(
        self, listed: ListedManifest, export: Export, error: TransientError | AccessError | ArchivedObject
    ) -> None:
        """Keep it for `settle`. Raises at once what is no single manifest's: there is no use in going on."""
        # Bytes that are not those of S3's checksum may never be: no other manifest waits for them.
        if isinstance(error, TransientError) and not isinstance(error, ChecksumMismatch):
            self.note_passing(error)
            return
        self._held.append((listed, export, error))
        if isinstance(error, OF_THE_CONNECTION):
            raise error

    def note_passing(self, error: TransientError) -> None:
        """Keep what stands in the way of one manifest for a while; raises it where it is an outage."""
        self._passing.append(error)
        if len(self._passing) == OUTAGE:
            raise error

    def settle(self, enter: Enter) -> None:
        """Call `enter`, with a reason, for each held alone. Then raise what passes.

        Raises the refusal where nothing else of the connection can be read either.
        """
        refusals = [error for _, _, error in self._held if isinstance(error, AccessError)]
        if refusals and not (self.others_read or self._can_read_others(refusals[0])):
            raise refusals[0]
        for listed, export, error in self._held:
            enter(listed, export, f"{TRIED_AGAIN}: {error}")
        if self._passing:
            raise self._passing[0]
