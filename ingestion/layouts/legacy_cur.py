"""Keys of the legacy Cost and Usage Report, and of the older detailed billing report."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ingestion.layouts.facts import KeyFacts, KeyLayout, Kind, Mode, Scope
from ingestion.layouts.segments import REPORT_NAME, Period, dates_folder, ends_in_format, month, part_of

STATUS_FOLDER = "cost_and_usage_data_status"
MANIFEST = "-Manifest.json"
HELPERS = ("-RedshiftCommands.sql", "-RedshiftManifest.json", "-create-table.sql")
# A delivery's row has room for so long an id; AWS's have 36 characters at most.
LONGEST_ASSEMBLY = 256
YEAR = re.compile(r"year=([0-9]{4})")
MONTH = re.compile(r"month=(0?[1-9]|1[0-2])")
DBR = re.compile(
    r"[0-9]{12}-aws-(billing-detailed-line-items(?:-with-resources-and-tags)?|billing-csv|cost-allocation)"
    r"-([0-9]{4})-([0-9]{2})\.(csv(?:\.zip)?)"
)


def legacy_cur(segments: Sequence[str]) -> KeyFacts | None:
    """The facts of a key split at its slashes; None where it is no legacy report's."""
    return _status(segments) or _helper(segments) or _crawler(segments) or _part(segments)


def dbr(segments: Sequence[str]) -> KeyFacts | None:
    """The facts of a detailed billing report's key; None where it is none."""
    found = DBR.fullmatch(segments[-1])
    period = month(found[2], found[3]) if found else None
    if found is None or period is None:
        return None
    return _facts(
        KeyLayout.DBR, segments[:-1], found[1], period, kind=Kind.DATA, mode=Mode.OVERWRITE, format=found[4]
    )


def status_key(facts: KeyFacts) -> str:
    """Where AWS keeps the Athena status file of the report that a key belongs to."""
    return f"{facts.root}{facts.name}/{STATUS_FOLDER}/{STATUS_FOLDER}.parquet"


def _status(segments: Sequence[str]) -> KeyFacts | None:
    places = [place for place, segment in enumerate(segments) if segment == STATUS_FOLDER]
    found = [facts for place in places if (facts := _report_before(segments[:place], Kind.STATUS))]
    # A report may itself be named so: the shortest root wins here too, then the reading with a period.
    return min(found, key=lambda facts: (len(facts.root), facts.period_start is None), default=None)


def _crawler(segments: Sequence[str]) -> KeyFacts | None:
    return _report_before(segments[:-1], Kind.HELPER) if segments[-1] == "crawler-cfn.yml" else None


def _report_before(folders: Sequence[str], kind: Kind) -> KeyFacts | None:
    """`<name>/[<name>/][<dates>/]` at the end of the folders; the shortest root wins."""
    for length in (3, 2, 1):
        root, report = folders[:-length], folders[-length:]
        if len(report) == length and _is_name(report[0]):
            for period, rest in _after_name(report[1:], report[0]):
                if not rest:
                    return _facts(KeyLayout.LEGACY_CUR, root, report[0], period, kind=kind)
    return None


def _helper(segments: Sequence[str]) -> KeyFacts | None:
    ending = next((ending for ending in HELPERS if segments[-1].endswith(ending)), None)
    name = segments[-1].removesuffix(ending) if ending else ""
    for length in (4, 3, 2, 1):
        report = segments[-1 - length : -1]
        if len(report) == length and report[0] == name and _is_name(name):
            for period, rest in _after_name(report[1:], name):
                if len(rest) <= 1 and all(rest):
                    found = _facts(
                        KeyLayout.LEGACY_CUR, segments[: -1 - length], name, period, kind=Kind.HELPER
                    )
                    return replace(found, snapshot_id=rest[0] if rest else None)
    return None


def _after_name(folders: Sequence[str], name: str) -> Iterator[tuple[Period | None, Sequence[str]]]:
    """The ways to read `[<name>/][<dates>/]` at the start of the folders, and what each leaves over."""
    for rest in (folders[1:], folders) if folders[:1] == [name] else (folders,):
        if rest and (period := dates_folder(rest[0])):
            yield period, rest[1:]
        yield None, rest


def _part(segments: Sequence[str]) -> KeyFacts | None:
    """A manifest or a data file, in each of the three modes."""
    shallow, deep = _in_dates(segments, 1), _in_dates(segments, 2)
    if shallow and shallow.kind is Kind.MANIFEST:
        return shallow
    return deep or shallow or _athena(segments) or _unlisted(segments)


def _athena(segments: Sequence[str]) -> KeyFacts | None:
    if len(segments) < 5 or segments[-5] != segments[-4] or not _is_name(segments[-5]):
        return None
    year, number = YEAR.fullmatch(segments[-3]), MONTH.fullmatch(segments[-2])
    period = month(year[1], number[1]) if year and number else None
    if period is None:
        return None
    facts = _facts(KeyLayout.LEGACY_CUR, segments[:-5], segments[-5], period, mode=Mode.ATHENA)
    return _named(facts, segments[-1], Scope.CURRENT)


def _in_dates(segments: Sequence[str], folders: int) -> KeyFacts | None:
    """With 1 folder below the name `<name>/<dates>/<file>`, with 2 `<name>/<dates>/<assembly>/<file>`."""
    facts = _dated(segments, folders)
    if facts is None:
        return None
    if folders == 1:
        found = _named(replace(facts, mode=Mode.OVERWRITE), segments[-1], Scope.CURRENT)
        # A period's own manifest is the same in both modes.
        return replace(found, mode=None) if found and found.kind is Kind.MANIFEST else found
    return _named(
        replace(facts, mode=Mode.CREATE_NEW, snapshot_id=segments[-2]), segments[-1], Scope.SNAPSHOT
    )


def _dated(segments: Sequence[str], folders: int) -> KeyFacts | None:
    if len(segments) < folders + 2 or not all(segments[-folders:]) or len(segments[-2]) > LONGEST_ASSEMBLY:
        return None
    name, period = segments[-folders - 2], dates_folder(segments[-folders - 1])
    if period is None or not _is_name(name):
        return None
    return _facts(KeyLayout.LEGACY_CUR, segments[: -folders - 2], name, period)


def _named(facts: KeyFacts, file_name: str, scope: Scope) -> KeyFacts | None:
    if file_name == facts.name + MANIFEST:
        return replace(facts, kind=Kind.MANIFEST, scope=scope)
    ending = ends_in_format(file_name)
    if ending is None:
        return None
    part = part_of(ending[0], facts.name)
    if part is None and not (facts.mode is Mode.OVERWRITE and ending[0] == facts.name):
        return None
    return replace(facts, kind=Kind.DATA, part=part, format=ending[1])


def _unlisted(segments: Sequence[str]) -> KeyFacts | None:
    ending = ends_in_format(segments[-1])
    if ending is None:
        return None
    if facts := _dated(segments, 2):
        return replace(facts, kind=Kind.UNLISTED, snapshot_id=segments[-2], format=ending[1])
    facts = _dated(segments, 1)
    return replace(facts, kind=Kind.UNLISTED, format=ending[1]) if facts else None


def _is_name(segment: str) -> bool:
    return REPORT_NAME.fullmatch(segment) is not None


def _facts(
    key_layout: KeyLayout, root: Sequence[str], name: str, period: Period | None, **more: Any
) -> KeyFacts:
    return replace(
        KeyFacts(key_layout, root="".join(f"{segment}/" for segment in root), name=name),
        period_start=period.start if period else None,
        period_end=period.end if period else None,
        **more,
    )
