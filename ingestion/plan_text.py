"""Tells plans: as JSON, or as text a person reads before anything is loaded."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from ingestion.plan import PlannedExport

Plans = Mapping[str, list[PlannedExport]]


def plans_as_json(plans: Plans) -> str:
    """A list with one object per connection: `connection`, `exports`."""
    return json.dumps(
        [
            {"connection": name, "exports": [asdict(export) for export in exports]}
            for name, exports in plans.items()
        ],
        indent=2,
    )


def plans_as_text(plans: Plans) -> str:
    """A paragraph per export."""
    paragraphs = [[f"\nPlan of {name}", *_lines(exports)] for name, exports in plans.items()]
    return "\n".join(line for paragraph in paragraphs for line in paragraph)


def _lines(exports: list[PlannedExport]) -> Iterator[str]:
    for export in exports:
        told = [part for part in (export.family, export.mode, export.decision, export.note) if part]
        yield f"  {export.export}: {', '.join(told)}" if told else f"  {export.export}"
        if export.files:
            months = f"{export.periods} periods ({export.newest} back to {export.oldest})"
            yield f"    to load: {export.files:,} files, {_size(export.bytes)}, {months}"
            duration = _duration(export.estimated_seconds)
            yield f"    about {export.estimated_rows:,} rows, {duration} with one worker"
        for reason, files in export.not_loaded.items():
            yield f"    not loaded: {files:,} files. {reason}"


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size:,} bytes"


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours} h {rest // 60} min" if hours else f"{max(rest // 60, 1)} min"
