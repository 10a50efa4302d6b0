"""Step 3 of 7: listed objects -> registry rows, exports and deliveries; decides what is new."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from ingestion.layouts.families import Family
from ingestion.layouts.keys import KeyFacts, Kind, classify
from ingestion.models import ClientConnection, Delivery, DeliveryFile, DeliveryScope, Export, SourceFile
from ingestion.pipeline.list_files import RemoteFile
from ingestion.pipeline.update_registry import skip_vanished, want_again

Skip = SourceFile.SkipReason
Status = SourceFile.Status

# Listed, counted by kind, and kept out of the registry: AWS's own objects and folder markers.
COUNTED_ONLY = {Kind.MANIFEST, Kind.STATUS, Kind.HELPER, Kind.TEST_OBJECT, Kind.FOLDER}
ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}


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
    skip: str

    @property
    def version(self) -> tuple[str, str]:
        return self.file.key, self.file.etag


class NewFiles:
    """Takes in a listing page by page; each page is a transaction of its own, and may be taken in twice.

    Only inserts, so that it never waits for a load.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._exports: dict[tuple[str, str, str], Export] = {}
        self._unseen = _waiting_versions(connection)
        self._replaced: set[int] = set()
        self.found = Discovery()

    @transaction.atomic
    def take(self, page: Sequence[RemoteFile]) -> None:
        """Register what is new on this page."""
        objects = [_Object(file, facts, _skip_reason(file, facts)) for file, facts in _classified(page)]
        self._count(objects)
        kept = [item for item in objects if item.facts.kind not in COUNTED_ONLY and "\0" not in item.file.key]
        self._note_seen(kept)
        files = self._register(kept)
        self._observe([item for item in kept if not item.skip], files)

    @transaction.atomic
    def finish(self) -> int:
        """After the last page: versions that wait and are no longer listed are skipped; answers how many."""
        gone = {pk for versions in self._unseen.values() for pk in versions.values()}
        return skip_vanished(self._replaced, Skip.REPLACED) + skip_vanished(gone, Skip.GONE)

    def _count(self, objects: Iterable[_Object]) -> None:
        for item in objects:
            self.found.listed += 1
            self.found.listed_bytes += item.file.size
            self.found.counts["unknown" if item.facts.kind is Kind.IGNORED else item.facts.kind.value] += 1

    def _note_seen(self, objects: Iterable[_Object]) -> None:
        for item in objects:
            versions = self._unseen.pop(item.file.key, {})
            versions.pop(item.file.etag, None)
            self._replaced.update(versions.values())

    def _register(self, objects: Sequence[_Object]) -> dict[tuple[str, str], SourceFile]:
        """Insert the versions that are new; answers every version of the page, by (key, ETag)."""
        known = self._known(objects)
        new = [self._new_file(item) for item in objects if item.version not in known]
        self.found.registered += len(SourceFile.objects.bulk_create(new, ignore_conflicts=True))
        want_again(
            known[item.version].pk for item in objects if _readable_again(known.get(item.version), item)
        )
        return self._known(objects) if new else known

    def _known(self, objects: Iterable[_Object]) -> dict[tuple[str, str], SourceFile]:
        listed = SourceFile.objects.filter(
            connection=self._connection, key__in=[item.file.key for item in objects]
        )
        return {(file.key, file.etag): file for file in listed.only("key", "etag", "status", "skip_reason")}

    def _new_file(self, item: _Object) -> SourceFile:
        return SourceFile(
            connection=self._connection,
            export=self._export(item.facts),
            key=item.file.key,
            etag=item.file.etag,
            size=item.file.size,
            last_modified=item.file.last_modified,
            storage_class=item.file.storage_class,
            billing_period_start=item.facts.period_start,
            billing_period_end=item.facts.period_end,
            status=Status.SKIPPED if item.skip else Status.NEW,
            skip_reason=item.skip,
        )

    def _export(self, facts: KeyFacts) -> Export | None:
        if facts.kind is Kind.IGNORED:
            return None
        identity = (facts.root, facts.name, facts.key_layout.value)
        if identity not in self._exports:
            self._exports[identity] = _stored_export(self._connection, facts)
        return self._exports[identity]

    def _observe(self, objects: Sequence[_Object], files: dict[tuple[str, str], SourceFile]) -> None:
        """A delivery for every version that is listed and was not listed as it is now before.

        Without manifests every version of a key is a delivery of its own: the key is the scope.
        """
        seen = set(
            Delivery.objects.filter(
                scope__export__connection=self._connection, scope__key__in=[item.file.key for item in objects]
            ).values_list("scope__key", "snapshot_id", "delivered_at")
        )
        for item in objects:
            if (*item.version, item.file.last_modified) not in seen:
                self._deliver(item, files[item.version])

    def _deliver(self, item: _Object, file: SourceFile) -> None:
        scope, _ = DeliveryScope.objects.get_or_create(
            export=self._export(item.facts),
            key=item.file.key,
            defaults={"billing_period_start": item.facts.period_start},
        )
        delivery, new = Delivery.objects.get_or_create(
            scope=scope, snapshot_id=item.file.etag, delivered_at=item.file.last_modified
        )
        if new:
            DeliveryFile.objects.create(
                delivery=delivery, source_file=file, last_modified=item.file.last_modified
            )


def _classified(page: Iterable[RemoteFile]) -> Iterable[tuple[RemoteFile, KeyFacts]]:
    return ((file, classify(file.key)) for file in page)


def _skip_reason(file: RemoteFile, facts: KeyFacts) -> str:
    if facts.kind is Kind.IGNORED:
        return Skip.UNKNOWN
    if facts.kind is Kind.UNLISTED:
        return Skip.UNLISTED
    if not facts.is_billing:
        return Skip.UNSUPPORTED
    return Skip.ARCHIVED if file.storage_class in ARCHIVES else ""


def _readable_again(known: SourceFile | None, item: _Object) -> bool:
    return (
        known is not None and not item.skip and known.skip_reason in {Skip.REPLACED, Skip.GONE, Skip.ARCHIVED}
    )


def _waiting_versions(connection: ClientConnection) -> dict[str, dict[str, int]]:
    """Versions registered by an earlier listing that are not loaded: key -> ETag -> id."""
    waiting = SourceFile.objects.filter(connection=connection, status__in=[Status.NEW, Status.FAILED])
    found: dict[str, dict[str, int]] = {}
    for key, etag, pk in waiting.values_list("key", "etag", "pk").iterator():
        found.setdefault(key, {})[etag] = pk
    return found


def _stored_export(connection: ClientConnection, facts: KeyFacts) -> Export:
    wanted = Export.Decision.LOAD if connection.load_new_exports else Export.Decision.AWAITING
    export, _ = Export.objects.get_or_create(
        connection=connection,
        root=facts.root,
        name=facts.name,
        key_layout=facts.key_layout.value,
        defaults={
            "mode": facts.mode.value if facts.mode else "",
            "family": Family.UNKNOWN,
            "decision": wanted if facts.is_billing else Export.Decision.IGNORE,
        },
    )
    return export
