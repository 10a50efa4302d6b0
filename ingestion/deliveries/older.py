"""Older deliveries that were left out: loaded where a person asks for one, or for all history."""

from collections.abc import Iterable
from datetime import date

from django.db import transaction

from ingestion.deliveries.against import why_incomplete
from ingestion.deliveries.contents import Contents, read_contents, stored_contents
from ingestion.deliveries.entering import NOT_LOADED, want_files
from ingestion.deliveries.manifest_objects import Bucket, ListedManifest
from ingestion.deliveries.unread import Unread
from ingestion.errors import (
    AccessError,
    ArchivedObject,
    DeliveryNotLoaded,
    ObjectChanged,
    ObjectGone,
    TransientError,
)
from ingestion.layouts.errors import BadManifest
from ingestion.layouts.keys import Scope, classify
from ingestion.layouts.legacy_cur import status_key
from ingestion.models import Delivery, Export
from ingestion.pipeline.identify_new import NewFiles
from ingestion.pipeline.retry import OF_THE_CONNECTION
from ingestion.publish import OVERTAKEN

# Looked at by one discovery: each costs a GET at most and a LIST, together some minutes.
MOST_AT_ONCE = 500
# The reasons of what was not loaded only because it is older, and how they begin whatever came of it later.
LEFT_OUT = {
    NOT_LOADED: "Older than the current delivery when it was found",
    OVERTAKEN: "Overtaken by a newer delivery before it was complete",
}
Snapshot = tuple[int, date | None, str]


def refuse_unless_left_out(delivery: Delivery) -> None:
    """Raises DeliveryNotLoaded unless it is an older one, told by a manifest, of an export that is loaded."""
    export = delivery.scope.export
    if not delivery.manifest_key:
        why = "It has no manifest: its files are loaded as they are found."
    elif delivery.status != Delivery.Status.SUPERSEDED:
        status = f"It is {delivery.get_status_display().lower()}, and no older one that was left out."
        why = f"{status} {delivery.reason}".rstrip()
    elif delivery.published_at:  # what was shown then is never added to
        why = "It was current once: its files are loaded."
    elif export.decision != Export.Decision.LOAD:
        why = f"Its export {export.name} is not loaded ({export.get_decision_display()})."
    else:
        return
    raise DeliveryNotLoaded(f"Delivery {delivery.pk} is not loaded. {why}")


class OlderDeliveries:
    """Wants the files of deliveries that were left out. They stay superseded, and are never current."""

    def __init__(self, new_files: NewFiles, bucket: Bucket) -> None:
        self._new_files = new_files
        self._bucket = bucket

    def want(self, delivery: Delivery) -> None:
        """Of one that `refuse_unless_left_out` lets pass, as the bucket stands now.

        Raises ObjectGone where this version of its manifest is no longer there, DeliveryNotLoaded where the
        files are not, or may not be, those that the manifest lists.
        """
        file = self._bucket.files((delivery.manifest_key,)).get(delivery.manifest_key)
        if file is None or file.etag != delivery.manifest_etag:
            raise ObjectGone(f"{delivery.manifest_key} is no longer what this delivery was read from.")
        listed = ListedManifest(file, classify(file.key))
        for status in self._bucket.files((status_key(listed.facts),)).values():
            self._new_files.athena_status[listed.facts.root, listed.facts.name] = status
        contents = read_contents(self._bucket, listed, delivery.scope.export)
        refuse_unless_left_out(delivery)  # reading the export's first manifest may show that it has a twin
        if against := self._settle(delivery, listed, contents):
            raise DeliveryNotLoaded(f"Delivery {delivery.pk} is not loaded. {against}")

    def want_history(self, manifests: Iterable[ListedManifest], unread: Unread) -> None:
        """Want those that were left out only for being older, and whose manifests are listed; newest first.

        Each is looked at once, so many by one discovery; what stands against it is then its reason. One whose
        manifest is refused is tried again by the next. Raises what is no single manifest's.
        """
        exports = self._new_files.exports
        listed_of: dict[Snapshot, ListedManifest] = {
            (exports.of(listed.facts).pk, listed.facts.period_start, str(listed.facts.snapshot_id)): listed
            for listed in manifests
            if listed.facts.scope is Scope.SNAPSHOT
        }
        looked_at = 0
        for delivery in self._left_out():
            scope = delivery.scope
            listed = listed_of.get((scope.export_id, scope.billing_period_start, delivery.snapshot_id))
            if listed and looked_at < MOST_AT_ONCE:
                looked_at += 1
                self._want_of_history(delivery, listed, unread)

    def _left_out(self) -> Iterable[Delivery]:
        left_out = Delivery.objects.filter(
            scope__export__connection=self._new_files.connection,
            scope__export__decision=Export.Decision.LOAD,
            status=Delivery.Status.SUPERSEDED,
            published_at=None,
            reason__in=LEFT_OUT,
        ).exclude(manifest_key="")
        return left_out.select_related("scope__export").order_by("-delivered_at")

    def _want_of_history(self, delivery: Delivery, listed: ListedManifest, unread: Unread) -> None:
        try:
            against = self._settle(delivery, listed, self._contents(delivery, listed))
        except (ObjectChanged, ObjectGone):
            return  # since it was listed: the next discovery tells
        except TransientError as error:
            unread.note_passing(error)
            return
        except (BadManifest, ArchivedObject) as error:
            against = str(error)
        except AccessError as error:
            if isinstance(error, OF_THE_CONNECTION):
                raise
            return
        if against:
            reason = f"{_why_left_out(delivery)}, and it cannot be loaded: {against}"
            Delivery.objects.filter(pk=delivery.pk).update(reason=reason)

    def _contents(self, delivery: Delivery, listed: ListedManifest) -> Contents:
        if delivery.listed_keys is not None:
            return stored_contents(delivery)
        return read_contents(self._bucket, listed, delivery.scope.export)

    def _settle(self, delivery: Delivery, listed: ListedManifest, contents: Contents) -> str:
        """Want the files unless something stands against the delivery; answers what."""
        present = self._bucket.files(contents.keys)
        status = self._new_files.athena_status.get((listed.facts.root, listed.facts.name))
        if against := why_incomplete(self._bucket, listed, contents.keys, present, status):
            return against
        delivery.listed_keys, delivery.manifest_columns = list(contents.keys), list(contents.columns)
        if why := _why_left_out(delivery):
            delivery.reason = f"{why}: its files are wanted all the same."
        with transaction.atomic():
            delivery.save(update_fields=["listed_keys", "manifest_columns", "reason"])
            want_files(delivery, present, self._new_files)
        return ""


def _why_left_out(delivery: Delivery) -> str:
    return next((why for why in LEFT_OUT.values() if delivery.reason.startswith(why)), "")
