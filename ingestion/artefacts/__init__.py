"""What the client is sent: policies, templates and a page in plain words, all for one connection."""

from ingestion.artefacts.artefact import Artefact
from ingestion.artefacts.made import artefacts

__all__ = ["Artefact", "artefacts"]
