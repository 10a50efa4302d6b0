"""Access: does a connection's role let KCX in as it should, and no further? The ladder, and what follows."""

from ingestion.access.ladder import climb
from ingestion.access.rung import Rung

__all__ = ["Rung", "climb"]
