"""Deliveries as AWS's manifests list them: each version of a manifest is read once."""

from datetime import datetime
from functools import partial

from django.db import transaction

from ingestion.deliveries.against import why_incomplete
from ingestion.deliveries.contents import Contents, read_contents, stored_contents
from ingestion.deliveries.entering import (
    UNREAD,
    enter,
    hold_back,
    leave_out_older,
    never_load,
    overtake_older,
    want_files,
)
from ingestion.deliveries.manifest_objects import Bucket, ListedManifest, newest_per_period, period_of
from ingestion.deliveries.older import OlderDeliveries
from ingestion.deliveries.unread import Unread
from ingestion.errors import AccessError, ArchivedObject, ObjectChanged, ObjectGone, TransientError
from ingestion.layouts.errors import BadManifest
from ingestion.layouts.keys import Scope
from ingestion.models import Delivery, Export
from ingestion.overlaps import NewPeriods
from ingestion.pipeline.identify_new import NewFiles

Version = tuple[str, str, datetime]


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
        current = newest_per_period(manifests)
        for listed in sorted(current.values(), key=lambda one: export_of(one.facts).pk):
            self._observe(listed, export_of(listed.facts))
        for listed in manifests:
            if listed.facts.scope is Scope.SNAPSHOT:
                self._observe_snapshot(listed, export_of(listed.facts), current.get(period_of(listed)))
        if self._history:
            OlderDeliveries(self._new_files, self._bucket).want_history(manifests, self._unread)
        self._unread.settle(partial(self._enter_unread, UNREAD))

    def _observe(self, listed: ListedManifest, export: Export) -> None:
        if export.decision == Export.Decision.IGNORE or not (contents := self._contents(listed, export)):
            return
        try:
            self._settle(listed, export, contents)
        except TransientError as error:
            self._unread.note_passing(error)

    def _contents(self, listed: ListedManifest, export: Export) -> Contents | None:
        """None where the delivery is settled, or its manifest cannot be read."""
        version = (listed.file.key, listed.file.etag, listed.file.last_modified)
        if version in self._to_look_at_again:
            return stored_contents(Delivery.objects.get(pk=self._to_look_at_again[version]))
        try:
            return None if version in self._known else self._read(listed, export)
        except (ObjectChanged, ObjectGone):
            return None  # overwritten since it was listed: the next discovery reads it
        except BadManifest as error:
            self._enter_unread(f"unreadable {listed.file.etag}", listed, export, str(error))
        except (TransientError, AccessError, ArchivedObject) as error:
            self._unread.note(listed, export, error)
        return None

    def _observe_snapshot(
        self, listed: ListedManifest, export: Export, current: ListedManifest | None
    ) -> None:
        """A delivery of its own where all history is loaded; else a note that it was there."""
        facts = listed.facts
        if (export.pk, facts.period_start, facts.snapshot_id) in self._snapshots:
            return
        if self._history:
            # No older: it was copied so, or is about to be the current one, which its manifest tells.
            if current is None or listed.file.last_modified < current.file.last_modified:
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

    def _read(self, listed: ListedManifest, export: Export) -> Contents:
        contents = read_contents(self._bucket, listed, export)
        self._unread.others_read = True
        return contents

    def _enter_unread(self, snapshot_id: str, listed: ListedManifest, export: Export, reason: str) -> None:
        with transaction.atomic():
            delivery = enter(listed, export, snapshot_id, None)
            overtake_older(delivery)
            hold_back(delivery, reason)

    def _settle(self, listed: ListedManifest, export: Export, contents: Contents) -> None:
        """Compare with the bucket as it is now, link the files, want them, leave out older ones."""
        present = self._bucket.files(contents.keys)
        status = self._new_files.athena_status.get((listed.facts.root, listed.facts.name))
        against = why_incomplete(self._bucket, listed, contents.keys, present, status)
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
                want_files(delivery, present, self._new_files)
                if not self._history:
                    leave_out_older(delivery)
        self._new_periods.note_entered(export, listed.facts.period_start)
