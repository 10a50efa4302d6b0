"""Step 3 of 7: listed objects -> registry rows, exports and deliveries; decides what is new."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from ingestion.deliveries.by_key import observe_keys
from ingestion.deliveries.manifest_objects import ListedManifest
from ingestion.errors import ArchivedObject
from ingestion.exports import ExportsOf
from ingestion.layouts.keys import KeyFacts, KeyLayout, Kind, Mode, classify
from ingestion.models import ClientConnection, DeliveryFile, SourceFile
from ingestion.pipeline.list_files import RemoteFile
from ingestion.pipeline.overwritten import hold_back
from ingestion.pipeline.update_registry import skip_vanished, want
from ingestion.publish import LIVE

Skip = SourceFile.SkipReason
Status = SourceFile.Status

# Listed, counted by kind, and kept out of the registry: AWS's own objects and folder markers.
COUNTED_ONLY = {Kind.MANIFEST, Kind.STATUS, Kind.HELPER, Kind.TEST_OBJECT, Kind.FOLDER}
# The only class whose archive tiers a listing does not show.
TIERED = "INTELLIGENT_TIERING"


@dataclass
class Discovery:
    """What one listing came to. `counts` (objects by kind) sums to `listed`."""

    listed: int = 0
    listed_bytes: int = 0
    registered: int = 0
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Object:
    file: RemoteFile
    facts: KeyFacts

    @property
    def version(self) -> tuple[str, str]:
        return self.file.key, self.file.etag

    @property
    def is_registered(self) -> bool:
        return self.facts.kind not in COUNTED_ONLY and not self.has_nul

    @property
    def has_nul(self) -> bool:
        """Such a key cannot be stored: the run counts it, and nothing else can be done."""
        return "\0" in self.file.key


class NewFiles:
    """Takes in a listing page by page; each page is a transaction of its own, and may be taken in twice.

    Only inserts, so that it never waits for a load. Files of AWS's layouts are registered as skipped until
    a manifest lists them; `manifests` and `athena_status` are what the deliveries are then told from.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.exports = ExportsOf(connection)
        self.manifests: list[ListedManifest] = []
        self.athena_status: dict[tuple[str, str], RemoteFile] = {}
        self.found = Discovery()
        self._unseen = _waiting_versions(connection)
        self._replaced: set[int] = set()

    @transaction.atomic
    def take(self, page: Sequence[RemoteFile]) -> None:
        """Register what is new on this page."""
        objects = [_Object(file, classify(file.key)) for file in page]
        for item in objects:
            self._count(item)
            self._note(item)
        kept = [item for item in objects if item.is_registered]
        files = self._registered(kept)
        by_key = [item.file for item in kept if not self._skip_reason(item)]
        observe_keys(self.connection, by_key, files)

    def register(self, listed: Sequence[RemoteFile]) -> dict[tuple[str, str], SourceFile]:
        """The registry's rows of these versions, by (key, ETag); those that are new are inserted."""
        return self._registered([_Object(file, classify(file.key)) for file in listed])

    @transaction.atomic
    def finish(self) -> int:
        """After the last page: versions that wait and are no longer listed are skipped; answers how many."""
        gone = {pk for versions in self._unseen.values() for pk in versions.values()}
        skipped = skip_vanished(self._replaced, Skip.REPLACED) + skip_vanished(gone, Skip.GONE)
        hold_back(self._replaced)
        return skipped

    def _count(self, item: _Object) -> None:
        self.found.listed += 1
        self.found.listed_bytes += item.file.size
        kind = "unknown" if item.facts.kind is Kind.IGNORED else item.facts.kind.value
        self.found.counts["key with NUL" if item.has_nul else kind] += 1

    def _note(self, item: _Object) -> None:
        if item.has_nul:
            return
        versions = self._unseen.pop(item.file.key, {})
        versions.pop(item.file.etag, None)
        self._replaced.update(versions.values())
        if item.facts.kind is Kind.MANIFEST and item.facts.is_billing:
            self.manifests.append(ListedManifest(item.file, item.facts))
        elif item.facts.kind is Kind.STATUS and item.file.size and item.file.key.endswith(".parquet"):
            self.athena_status[item.facts.root, item.facts.name] = item.file

    def _registered(self, objects: Sequence[_Object]) -> dict[tuple[str, str], SourceFile]:
        known = self._known(objects)
        new = [self._new_file(item) for item in objects if item.version not in known]
        self.found.registered += len(SourceFile.objects.bulk_create(new, ignore_conflicts=True))
        again = {item.version for item in objects if self._is_wanted_again(known.get(item.version), item)}
        restored = {item.version for item in objects if self._is_restored(known.get(item.version), item)}
        want(known[version].pk for version in again)
        want(_listed([known[version].pk for version in restored - again]))
        return self._known(objects) if new else known

    def _known(self, objects: Iterable[_Object]) -> dict[tuple[str, str], SourceFile]:
        listed = SourceFile.objects.filter(
            connection=self.connection, key__in=[item.file.key for item in objects]
        )
        fields = ("key", "etag", "status", "skip_reason", "error_code", "export_id", "billing_period_start")
        return {(file.key, file.etag): file for file in listed.only(*fields)}

    def _new_file(self, item: _Object) -> SourceFile:
        skip = self._skip_reason(item)
        return SourceFile(
            connection=self.connection,
            export=None if item.facts.kind is Kind.IGNORED else self.exports.of(item.facts),
            key=item.file.key,
            etag=item.file.etag,
            size=item.file.size,
            last_modified=item.file.last_modified,
            storage_class=item.file.storage_class,
            billing_period_start=item.facts.period_start,
            billing_period_end=item.facts.period_end,
            status=Status.SKIPPED if skip else Status.NEW,
            skip_reason=skip,
        )

    def _skip_reason(self, item: _Object) -> str:
        """Why a file is not loaded on the strength of its key alone; '' where it is."""
        if item.facts.kind is Kind.IGNORED:
            return Skip.UNKNOWN
        if not item.facts.is_billing:
            return Skip.UNSUPPORTED
        if item.file.is_archived:
            return Skip.ARCHIVED
        if item.facts.key_layout is KeyLayout.GENERIC:
            return ""
        loads_by_key = (
            self.exports.of(item.facts).without_manifests and item.facts.mode is not Mode.CREATE_NEW
        )
        return "" if loads_by_key and item.facts.kind is Kind.DATA else Skip.UNLISTED

    def _is_wanted_again(self, known: SourceFile | None, item: _Object) -> bool:
        again = {Skip.REPLACED, Skip.GONE, Skip.UNLISTED}
        wanted = known is not None and known.skip_reason in again
        return (wanted or self._is_restored(known, item)) and not self._skip_reason(item)

    def _is_restored(self, known: SourceFile | None, item: _Object) -> bool:
        """Can an archived version be read now, as far as a listing tells?"""
        if known is None or known.skip_reason != Skip.ARCHIVED or item.file.is_archived:
            return False
        return item.file.storage_class != TIERED or known.error_code != ArchivedObject.code


def _listed(files: Sequence[int]) -> Iterable[int]:
    """Those that a delivery which counts holds."""
    held = DeliveryFile.objects.filter(source_file__in=files, delivery__status__in=LIVE)
    return held.values_list("source_file", flat=True) if files else []


def _waiting_versions(connection: ClientConnection) -> dict[str, dict[str, int]]:
    """Versions registered by an earlier listing that are not loaded: key -> ETag -> id."""
    waiting = SourceFile.objects.filter(connection=connection, status__in=[Status.NEW, Status.FAILED])
    found: dict[str, dict[str, int]] = {}
    for key, etag, pk in waiting.values_list("key", "etag", "pk").iterator():
        found.setdefault(key, {})[etag] = pk
    return found
