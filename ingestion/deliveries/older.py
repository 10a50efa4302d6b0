"""Older deliveries that were left out: loaded where a person asks for one."""

from django.db import transaction

from ingestion.deliveries.against import why_incomplete
from ingestion.deliveries.contents import Contents, read_contents
from ingestion.deliveries.entering import NOT_LOADED, want_files
from ingestion.deliveries.manifest_objects import Bucket, ListedManifest
from ingestion.errors import DeliveryNotLoaded, ObjectGone
from ingestion.layouts.keys import classify
from ingestion.layouts.legacy_cur import status_key
from ingestion.models import Delivery, Export
from ingestion.pipeline.identify_new import NewFiles
from ingestion.publish import OVERTAKEN

# The reasons of what was not loaded only because it is older, and how they begin whatever came of it later.
LEFT_OUT = {
    NOT_LOADED: "Older than the current delivery when it was found",
    OVERTAKEN: "Overtaken by a newer delivery before it was complete",
}


def refuse_unless_left_out(delivery: Delivery) -> None:
    """Raises DeliveryNotLoaded unless it is an older one, told by a manifest, of an export that is loaded."""
    export = delivery.scope.export
    if not delivery.manifest_key:
        why = "It has no manifest: its files are loaded as they are found."
    elif delivery.status != Delivery.Status.SUPERSEDED:
        status = f"It is {delivery.get_status_display().lower()}, and no older one that was left out."
        why = f"{status} {delivery.reason}".rstrip()
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
