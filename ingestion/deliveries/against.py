"""What stands against a delivery in the bucket as it is now."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from django.utils import timezone

from ingestion.deliveries.manifest_objects import BEING_DELIVERED, Bucket, ListedManifest
from ingestion.layouts.keys import KeyFacts, Mode, classify
from ingestion.pipeline.list_files import RemoteFile

Present = Mapping[str, RemoteFile]
# AWS writes a manifest seconds to hours after its data, and delivers anew each day: later it is no race.
RACE_ENDS = timedelta(days=1)
NEWER = "Data newer than its manifest"


def why_incomplete(
    bucket: Bucket,
    manifest: ListedManifest,
    keys: tuple[str, ...],
    present: Present,
    status: RemoteFile | None,
) -> str:
    """Why the files that the manifest lists are not its delivery, or may not be; '' where they are.

    `present`: those of `keys` that the bucket holds now; `status`: Athena's status file of that name, if any.
    """
    missing = [key for key in keys if key not in present]
    if missing:
        return f"{len(missing)} of {len(keys)} listed files are missing: {missing[0]}"
    # What lies in a folder of its delivery's own is never rewritten, but a copy of it may be later.
    rewritten = [present[key] for key in keys if not classify(key).snapshot_id]
    newer = [file for file in rewritten if file.last_modified > manifest.file.last_modified]
    if newer:
        return _why_newer(newer)
    return bucket.why_updating(status) if status and _is_athenas(manifest.facts, keys) else ""


def _why_newer(files: list[RemoteFile]) -> str:
    if max(file.last_modified for file in files) > timezone.now() - RACE_ENDS:
        return f"{NEWER}, {BEING_DELIVERED}: {files[0].key}"
    return f"{NEWER}, and none of its files written for a day: copied, or given up? {files[0].key}"


def _is_athenas(facts: KeyFacts, keys: Iterable[str]) -> bool:
    """Of the manifest's two places one does not tell; another export may have the same root and name."""
    return facts.mode is Mode.ATHENA or any(classify(key).mode is Mode.ATHENA for key in keys)
