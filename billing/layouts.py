"""Column layouts: stored once, found by digest."""

import hashlib
import json
from collections.abc import Sequence

from billing.models import ColumnLayout


def layout_digest(names: Sequence[str], types: Sequence[str]) -> str:
    """SHA-256, in hex, of the names and types as compact JSON, in order."""
    text = json.dumps([list(names), list(types)], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def store_layout(names: Sequence[str], types: Sequence[str]) -> ColumnLayout:
    """The layout with these names and types, made if it is new."""
    layout, _ = ColumnLayout.objects.get_or_create(
        digest=layout_digest(names, types), defaults={"names": list(names), "types": list(types)}
    )
    return layout
