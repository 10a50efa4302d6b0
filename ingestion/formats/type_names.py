"""Arrow types by the names a column layout keeps of them."""

import re
from collections.abc import Callable

import pyarrow as pa

_DECIMAL = re.compile(r"(decimal\d+)\((\d+), (-?\d+)\)")
_ZONED = re.compile(r"timestamp\[(\w+), tz=([^\]]+)\]")
_FIXED_BINARY = re.compile(r"fixed_size_binary\[(\d+)\]")
_LIST = re.compile(r"(?:large_)?list(?:_view)?<(.*)>", re.DOTALL)
_FIXED_LIST = re.compile(r"fixed_size_list<(.*)>\[(\d+)\]", re.DOTALL)
_STRUCT = re.compile(r"struct<(.*)>", re.DOTALL)
_MAP = re.compile(r"map<(.*)>", re.DOTALL)
_DICTIONARY = re.compile(r"dictionary<values=(.*), indices=\w+, ordered=[01]>", re.DOTALL)
_ITEM_NAME = re.compile(r" \('(.*)'\)\Z", re.DOTALL)
_EXTENSIONS = {"extension<arrow.uuid>": pa.uuid(), "extension<arrow.bool8>": pa.bool8()}
_NOT_NULL = " not null"
_BETWEEN = re.compile(r"(, )|([<(\[])|([>)\]])")

Build = Callable[[re.Match[str]], pa.DataType]


def type_named(name: str) -> pa.DataType:
    """The type whose `str()` is `name`: a dictionary's is that of its values, a list view's a list.

    What stands inside may be NULL, whatever the name says. A name that means no such type, or whose fields
    are named so that they cannot be told apart, gives string: then the text stays as it is.
    """
    try:
        return _type(name)
    except (ValueError, AttributeError, pa.ArrowException):
        return pa.string()


def _type(name: str) -> pa.DataType:
    if name in _EXTENSIONS:
        return _EXTENSIONS[name]
    for pattern, build in _BUILDERS:
        if found := pattern.fullmatch(name):
            return build(found)
    return pa.type_for_alias(name)


def _list(found: re.Match[str]) -> pa.DataType:
    field = _field(found[1])
    return pa.large_list(field) if found[0].startswith("large_") else pa.list_(field)


def _map(found: re.Match[str]) -> pa.DataType:
    key, item, *options = _parts(found[1])
    if options not in ([], ["keys_sorted"]):
        raise ValueError(found[0])
    named = _ITEM_NAME.search(item)
    plain = item[: named.start()] if named else item
    value = pa.field(named[1] if named else "value", _type(plain.removesuffix(_NOT_NULL)))
    return pa.map_(_type(key), value, keys_sorted=bool(options))


def _struct(found: re.Match[str]) -> pa.DataType:
    return pa.struct([_field(part) for part in _parts(found[1])])


def _field(text: str) -> pa.Field:
    name, _, kind = text.partition(": ")
    return pa.field(name, _type(kind.removesuffix(_NOT_NULL)))


def _parts(text: str) -> list[str]:
    """What stands between the commas that are in no brackets."""
    if not text:
        return []
    parts, depth, start = [], 0, 0
    for found in _BETWEEN.finditer(text):
        depth += bool(found[2]) - bool(found[3])
        if found[1] and not depth:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


_BUILDERS: list[tuple[re.Pattern[str], Build]] = [
    (_DECIMAL, lambda found: getattr(pa, found[1])(int(found[2]), int(found[3]))),
    (_ZONED, lambda found: pa.timestamp(found[1], found[2])),
    (_FIXED_BINARY, lambda found: pa.binary(int(found[1]))),
    (_LIST, _list),
    (_FIXED_LIST, lambda found: pa.list_(_field(found[1]), int(found[2]))),
    (_STRUCT, _struct),
    (_MAP, _map),
    (_DICTIONARY, lambda found: _type(found[1])),
]
