"""Deliveries as AWS's manifests list them: each version of a manifest is read once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from django.db import transaction

from ingestion.deliveries.entering import (
    UNREAD,
    enter,
    hold_back,
    leave_out_older,
    link,
    never_load,
    overtake_older,
)
from ingestion.deliveries.manifest_objects import BEING_DELIVERED, Bucket, ListedManifest, newest_per_period
from ingestion.deliveries.unread import Unread
from ingestion.errors import AccessError, ArchivedObject, ObjectChanged, ObjectGone, TransientError
from ingestion.exports import learn
from ingestion.layouts.errors import BadManifest
from ingestion.layouts.keys import Mode, Scope, classify
from ingestion.models import Delivery, Export
from ingestion.overlaps import NewPeriods
from ingestion.pipeline.identify_new import NewFiles
from ingestion.pipeline.list_files import RemoteFile
from ingestion.pipeline.update_registry import want

Present = Mapping[str, RemoteFile]
Version = tuple[str, str, datetime]


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a manifest says of its delivery."""

    snapshot_id: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]


class ManifestDeliveries:
    """Turns the manifests of one listing into deliveries. One that is known and settled costs nothing."""

    def __init__(self, new_files: NewFiles, bucket: Bucket) -> None:
        self._new_files = new_files
        self._bucket = bucket
        self._history = new_files.connection.load_history
        known = Delivery.objects.filter(scope__export__connection=new_files.connection).exclude(
            manifest_key=""
        )
        self._unread = Unread(bucket.can_read_others)
        read = known.exclude(status=Delivery.Status.INCOMPLETE, snapshot_id=UNREAD)
        versions = read.values_list("manifest_key", "manifest_etag", "delivered_at")
        self._known: set[Version] = set(versions)
        self._to_look_at_again: dict[Version, int] = {
            (key, etag, when): pk
            for key, etag, when, pk in known.filter(
                status=Delivery.Status.INCOMPLETE, listed_keys__isnull=False
            ).values_list("manifest_key", "manifest_etag", "delivered_at", "pk")
        }
        self._snapshots = set(
            known.values_list("scope__export", "scope__billing_period_start", "snapshot_id")
        )
        entered = known.filter(listed_keys__isnull=False).order_by()
        periods = entered.values_list("scope__export", "scope__billing_period_start").distinct()
        self._new_periods = NewPeriods(periods)

    def observe(self) -> None:
        """First what is current in each billing period, then the snapshots beside it.

        The export that was found first goes first: of two that bill the same lines, the other one waits.
        Raises, once every manifest was tried, what stood in the way of some and passes by itself.
        """
        manifests, export_of = self._new_files.manifests, self._new_files.exports.of
        for listed in sorted(newest_per_period(manifests), key=lambda one: export_of(one.facts).pk):
            self._observe(listed, export_of(listed.facts))
        for listed in manifests:
            if listed.facts.scope is Scope.SNAPSHOT:
                self._observe_snapshot(listed, export_of(listed.facts))
        self._unread.settle(partial(self._enter_unread, UNREAD))

    def want_older(self, delivery: Delivery) -> None:
        """Want the files of a delivery that was left out when it was found; its status stays.

        Raises ObjectGone where this version of its manifest is no longer in the bucket.
        """
        file = self._bucket.files((delivery.manifest_key,)).get(delivery.manifest_key)
        if file is None or file.etag != delivery.manifest_etag:
            raise ObjectGone(f"{delivery.manifest_key} is no longer what this delivery was read from.")
        contents = self._read(ListedManifest(file, classify(file.key)), delivery.scope.export)
        present = self._bucket.files(contents.keys)
        with transaction.atomic():
            told = {"listed_keys": list(contents.keys), "manifest_columns": list(contents.columns)}
            Delivery.objects.filter(pk=delivery.pk).update(**told)
            self._want(delivery, present)

    def _observe(self, listed: ListedManifest, export: Export) -> None:
        if export.decision == Export.Decision.IGNORE or not (contents := self._contents(listed, export)):
            return
        try:
            self._settle(listed, export, contents)
        except TransientError as error:
            self._unread.note_passing(error)

    def _contents(self, listed: ListedManifest, export: Export) -> _Contents | None:
        """None where the delivery is settled, or its manifest cannot be read."""
        version = (listed.file.key, listed.file.etag, listed.file.last_modified)
        if version in self._to_look_at_again:
            delivery = Delivery.objects.get(pk=self._to_look_at_again[version])
            lists = (delivery.listed_keys, delivery.manifest_columns)
            return _Contents(delivery.snapshot_id, *(tuple(one or ()) for one in lists))
        try:
            return None if version in self._known else self._read(listed, export)
        except (ObjectChanged, ObjectGone):
            return None  # overwritten since it was listed: the next discovery reads it
        except BadManifest as error:
            self._enter_unread(f"unreadable {listed.file.etag}", listed, export, str(error))
        except (TransientError, AccessError, ArchivedObject) as error:
            self._unread.note(listed, export, error)
        return None

    def _observe_snapshot(self, listed: ListedManifest, export: Export) -> None:
        """A delivery of its own where all history is loaded; else a note that it was there."""
        facts = listed.facts
        if (export.pk, facts.period_start, facts.snapshot_id) in self._snapshots:
            return
        if self._history:
            self._observe(listed, export)
            return
        newer = Delivery.objects.filter(
            scope__export=export,
            scope__billing_period_start=facts.period_start,
            delivered_at__gt=listed.file.last_modified,
        ).exclude(snapshot_id=UNREAD)
        if newer.exists():
            with transaction.atomic():
                never_load(enter(listed, export, str(facts.snapshot_id), None))

    def _read(self, listed: ListedManifest, export: Export) -> _Contents:
        manifest = self._bucket.manifest(listed)
        self._unread.others_read = True
        learn(export, manifest, listed.file.last_modified)
        columns = tuple(column.name for column in manifest.columns)
        return _Contents(manifest.snapshot_id, manifest.data_keys, columns)

    def _enter_unread(self, snapshot_id: str, listed: ListedManifest, export: Export, reason: str) -> None:
        with transaction.atomic():
            delivery = enter(listed, export, snapshot_id, None)
            overtake_older(delivery)
            hold_back(delivery, reason)

    def _settle(self, listed: ListedManifest, export: Export, contents: _Contents) -> None:
        """Compare with the bucket as it is now, link the files, want them, leave out older ones."""
        present = self._bucket.files(contents.keys)
        against = self._against(listed, contents.keys, present)
        with transaction.atomic():
            self._new_periods.compare(export, listed.facts.period_start)
            delivery = enter(listed, export, contents.snapshot_id, contents.keys, contents.columns)
            self._snapshots.add((export.pk, listed.facts.period_start, contents.snapshot_id))
            newest = overtake_older(delivery)
            if not (newest or self._history):
                never_load(delivery)
            elif against:
                hold_back(delivery, against)
            else:
                self._want(delivery, present)
                if not self._history:
                    leave_out_older(delivery)
        self._new_periods.note_entered(export, listed.facts.period_start)

    def _want(self, delivery: Delivery, present: Present) -> None:
        files = self._new_files.register(list(present.values()))
        link(delivery, present, files)
        readable = [file for file in present.values() if not file.is_archived]
        want(files[file.key, file.etag].pk for file in readable)

    def _against(self, listed: ListedManifest, keys: tuple[str, ...], present: Present) -> str:
        """Why this delivery is incomplete as the bucket stands now; '' where it is not."""
        missing = [key for key in keys if key not in present]
        if missing:
            return f"{len(missing)} of {len(keys)} listed files are missing: {missing[0]}"
        newer = [key for key in keys if present[key].last_modified > listed.file.last_modified]
        if newer:
            return f"Data newer than its manifest, {BEING_DELIVERED}: {newer[0]}"
        status = self._new_files.athena_status.get((listed.facts.root, listed.facts.name))
        return self._bucket.why_updating(status) if listed.facts.mode is Mode.ATHENA and status else ""
