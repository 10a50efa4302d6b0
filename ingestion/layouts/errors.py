"""What can be wrong with AWS's own texts beside the data."""

from ingestion.errors import IngestionError


class BadManifest(IngestionError):
    """A manifest that does not read as AWS writes them; KCX does not guess which files it means."""

    code = "bad_manifest"
    next_action = "None, if AWS wrote it anew since; otherwise report its shape to KCX's engineers."
