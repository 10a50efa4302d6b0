"""The columns of an export: the union of its files' columns, in the order of their first appearance."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from ingestion.export_errors import UnknownColumn
from ingestion.formats.type_names import type_named
from ingestion.selection import SelectedFile

Identity = tuple[str, int]  # a name may stand twice in a file: the second is another column than the first


@dataclass(frozen=True)
class Columns:
    """The columns of an export, in order."""

    identities: tuple[Identity, ...]
    types: tuple[pa.DataType, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, duplicates among them."""
        return tuple(name for name, _ in self.identities)

    @cached_property
    def schema(self) -> pa.Schema:
        """Their names and types."""
        return pa.schema([pa.field(*one) for one in zip(self.names, self.types, strict=True)])

    def places_in(self, file: SelectedFile) -> list[int | None]:
        """Where each column stands in the file, from 0; None where the file does not have it."""
        at = {identity: place for place, identity in enumerate(_identities(file.names))}
        return [at.get(identity) for identity in self.identities]


def columns_of(files: Iterable[SelectedFile], wanted: Sequence[str] | None = None) -> Columns:
    """The columns of all files, or those `wanted` in that order, each with its duplicates.

    A column that has one type in one file and another in the next is a string. Raises UnknownColumn.
    """
    types: dict[Identity, set[pa.DataType]] = {}
    for names, kinds in dict.fromkeys((file.names, file.types) for file in files):  # many files share theirs
        for identity, kind in zip(_identities(names), kinds, strict=True):
            types.setdefault(identity, set()).add(type_named(kind))
    chosen = list(types) if wanted is None else _chosen(list(types), wanted)
    return Columns(tuple(chosen), tuple(_common(types[identity]) for identity in chosen))


def _identities(names: Iterable[str]) -> list[Identity]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        found.append((name, seen[name]))
        seen[name] += 1
    return found


def _chosen(known: list[Identity], wanted: Sequence[str]) -> list[Identity]:
    for name in wanted:
        if not any(known_name == name for known_name, _ in known):
            raise UnknownColumn(f"There is no column {name!r}.", column=name)
    return [identity for name in dict.fromkeys(wanted) for identity in known if identity[0] == name]


def _common(types: set[pa.DataType]) -> pa.DataType:
    """A column of nothing but NULL agrees with every type."""
    meant = types - {pa.null()} or types
    return meant.pop() if len(meant) == 1 else pa.string()
