"""What a manifest says of its delivery."""

from dataclasses import dataclass

from ingestion.deliveries.manifest_objects import Bucket, ListedManifest
from ingestion.exports import learn
from ingestion.models import Delivery, Export


@dataclass(frozen=True, slots=True)
class Contents:
    """The id of the delivery, the keys of its files, and its columns as a header spells them."""

    snapshot_id: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]


def read_contents(bucket: Bucket, listed: ListedManifest, export: Export) -> Contents:
    """Read the manifest, and note what it tells of its export. Raises what Bucket.manifest does."""
    manifest = bucket.manifest(listed)
    learn(export, manifest, listed.file.last_modified)
    columns = tuple(column.name for column in manifest.columns)
    return Contents(manifest.snapshot_id, manifest.data_keys, columns)


def stored_contents(delivery: Delivery) -> Contents:
    """As they were read when the delivery was entered."""
    lists = (delivery.listed_keys, delivery.manifest_columns)
    return Contents(delivery.snapshot_id, *(tuple(one or ()) for one in lists))
