"""Data files outside AWS's layouts: append-only files of a client's own, and what is only noise."""

import re
from collections.abc import Sequence

from ingestion.layouts.facts import KeyFacts, KeyLayout, Kind
from ingestion.layouts.segments import ends_in_format

# What Athena, S3 and AWS's consoles leave in a bucket: never billing data.
NOISE = re.compile(r"athena-?(query-?)?results.*|querylogs?|.*inventory.*|awslogs", re.IGNORECASE)
# A folder that says it is an AWS layout's, in a key that is not: broken, so not generic either.
BROKEN = re.compile(r"(billing_period|usage_period|carbon_model_version)=.*|[0-9]{8}-[0-9]{8}", re.IGNORECASE)
# Folders that divide one set of files by time.
DIVISION = re.compile(r"[^=]+=.*|[0-9][0-9T:._-]*Z?")


def generic(segments: Sequence[str]) -> KeyFacts | None:
    """The facts of a data file of no AWS layout; None where it is none.

    Its export is its folder, without the folders at its end that only divide by time.
    """
    ending = ends_in_format(segments[-1])
    folders = list(segments[:-1])
    if ending is None or any(NOISE.fullmatch(folder) or BROKEN.fullmatch(folder) for folder in folders):
        return None
    while folders and (not folders[-1] or DIVISION.fullmatch(folders[-1])):
        folders.pop()
    root = "".join(f"{folder}/" for folder in folders[:-1])
    name = folders[-1] if folders else "(top)"
    return KeyFacts(KeyLayout.GENERIC, Kind.DATA, root=root, name=name[:256], format=ending[1])
