"""Data files outside AWS's layouts: append-only files of a client's own, and what is only noise."""

import re
from collections.abc import Sequence
from itertools import pairwise

from ingestion.layouts.facts import KeyFacts, KeyLayout, Kind
from ingestion.layouts.legacy_cur import DBR, MONTH, STATUS_FOLDER, YEAR
from ingestion.layouts.segments import day, ends_in_format

# What Athena, S3 and AWS's consoles leave in a bucket: never billing data.
NOISE = re.compile(
    r"(aws-)?athena[-_]?(query[-_]?)?results.*|.*query[-_]?logs?.*|.*inventory.*|awslogs", re.IGNORECASE
)
# A folder that says it is an AWS layout's, in a key that is not: broken, so not generic either.
BROKEN = re.compile(
    rf"(billing_period|usage_period|carbon_model_version)=.*|[0-9]{{8}}-[0-9]{{8}}|{STATUS_FOLDER}",
    re.IGNORECASE,
)
# Folders that divide one set of files by time.
DIVISION = re.compile(r"[^=]+=.*|[0-9][0-9T:._-]*Z?")


def generic(segments: Sequence[str]) -> KeyFacts | None:
    """The facts of a data file of no AWS layout; None where it is none.

    Its export is its folder, without the folders at its end that only divide by time.
    """
    ending = ends_in_format(segments[-1])
    folders = list(segments[:-1])
    if ending is None or any(NOISE.fullmatch(folder) for folder in folders) or _is_broken(segments):
        return None
    while folders and (not folders[-1] or DIVISION.fullmatch(folders[-1])):
        folders.pop()
    root = "".join(f"{folder}/" for folder in folders[:-1])
    name = folders[-1] if folders else "(top)"
    return KeyFacts(KeyLayout.GENERIC, Kind.DATA, root=root, name=name[:256], format=ending[1])


def _is_broken(segments: Sequence[str]) -> bool:
    """Does this key, that follows no AWS layout, look as if it should?"""
    *folders, file_name = segments
    return (
        any(BROKEN.fullmatch(folder) for folder in folders)
        or any(_is_no_date(*pair) or _is_no_month(*pair) for pair in pairwise(folders))
        or _is_in_athena_folders(folders)
        or DBR.fullmatch(file_name) is not None
    )


def _is_no_date(area: str, partition: str) -> bool:
    return area in {"data", "metadata"} and partition.startswith("date=") and day(partition[5:]) is None


def _is_no_month(year: str, month: str) -> bool:
    return bool(YEAR.fullmatch(year) and re.fullmatch("month=[0-9]+", month) and not MONTH.fullmatch(month))


def _is_in_athena_folders(folders: Sequence[str]) -> bool:
    """`<name>/<name>/year=/month=`: AWS writes all files there, and names them after the report."""
    if len(folders) < 4 or folders[-4] != folders[-3]:
        return False
    return bool(YEAR.fullmatch(folders[-2]) and MONTH.fullmatch(folders[-1]))
