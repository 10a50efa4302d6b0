"""Keys of AWS Data Exports: CUR 2.0, FOCUS, recommendations, carbon."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingestion.layouts.facts import KeyFacts, KeyLayout, Kind, Mode, Partition, Scope
from ingestion.layouts.segments import EXPORT_NAME, Period, day, ends_in_format, month, part_of

# Consumers of real FOCUS exports report lower case, AWS's documents upper case: S3 tells them apart.
BILLING_PERIOD = re.compile(r"(?:BILLING_PERIOD|billing_period)=([0-9]{4})-([0-9]{2})")
DATE = re.compile(r"date=([0-9]{4}-[0-9]{2}-[0-9]{2})")
CARBON_MODEL = re.compile(r"carbon_model_version=[^/]+")
USAGE_PERIOD = re.compile(r"usage_period=([0-9]{4})-([0-9]{2})")
EXECUTION = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z-"
    r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
)


def data_export(segments: Sequence[str]) -> KeyFacts | None:
    """The facts of a key split at its slashes; None where it is no Data Export's."""
    unlisted = None
    for place, facts, rest in _places(segments):
        kind = _data(facts, rest) if segments[place + 1] == "data" else _manifest(facts, rest)
        if kind is not None:
            return kind
        unlisted = unlisted or _unlisted(facts, rest)
    return unlisted


def _places(segments: Sequence[str]) -> Iterator[tuple[int, KeyFacts, Sequence[str]]]:
    """Where `<name>/data|metadata/<partition>/` stands, from the left, and what follows it."""
    for place in range(len(segments) - 3):
        name = segments[place]
        if segments[place + 1] not in {"data", "metadata"} or not EXPORT_NAME.fullmatch(name):
            continue
        partition, period, length = _partition(segments[place + 2 : place + 4])
        rest = segments[place + 2 + length :]
        if period is not None and rest:
            root = "".join(f"{segment}/" for segment in segments[:place])
            facts = KeyFacts(
                KeyLayout.DATA_EXPORT,
                root=root,
                name=name,
                period_start=period.start,
                period_end=period.end,
                partition=partition,
            )
            yield place, facts, rest


def _partition(segments: Sequence[str]) -> tuple[Partition, Period | None, int]:
    """The partition that begins here, its period, and how many segments it takes."""
    if found := DATE.fullmatch(segments[0]):
        return Partition.DATE, day(found[1]), 1
    if CARBON_MODEL.fullmatch(segments[0]) and (found := USAGE_PERIOD.fullmatch(segments[1])):
        return Partition.CARBON, month(found[1], found[2]), 2
    found = BILLING_PERIOD.fullmatch(segments[0])
    return Partition.BILLING_PERIOD, month(found[1], found[2]) if found else None, 1


def _data(facts: KeyFacts, rest: Sequence[str]) -> KeyFacts | None:
    ending = ends_in_format(rest[-1])
    part = part_of(ending[0], facts.name) if ending else None
    if ending is None or part is None or len(ending[0]) != len(facts.name) + 6:  # five digits, always
        return None
    found = replace(facts, kind=Kind.DATA, part=part, format=ending[1])
    if len(rest) == 1:
        return replace(found, mode=Mode.OVERWRITE)
    return _in_execution(found, rest)


def _manifest(facts: KeyFacts, rest: Sequence[str]) -> KeyFacts | None:
    if rest[-1] not in {f"{facts.name}-Manifest.json", "Manifest.json"}:
        return None
    found = replace(facts, kind=Kind.MANIFEST)
    if len(rest) == 1:
        return replace(found, scope=Scope.CURRENT)
    return _in_execution(replace(found, scope=Scope.SNAPSHOT), rest)


def _unlisted(facts: KeyFacts, rest: Sequence[str]) -> KeyFacts:
    ending = ends_in_format(rest[-1])
    return replace(facts, kind=Kind.UNLISTED, format=ending[1] if ending else None)


def _in_execution(facts: KeyFacts, rest: Sequence[str]) -> KeyFacts | None:
    execution = EXECUTION.fullmatch(rest[0])
    if len(rest) != 2 or not execution:
        return None
    return replace(facts, mode=Mode.CREATE_NEW, snapshot_id=execution[1])
