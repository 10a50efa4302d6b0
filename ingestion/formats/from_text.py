"""Columns of text back to the typed values they were written from: the way back of as_text."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_BINARY = (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary)
_WORDS = {True: "true", False: "false"}


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object with the order of its keys and their duplicates."""

    __slots__ = ()


def from_text(text: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """The values of type `kind` that `as_text` wrote as `text`; NULL stays NULL.

    Raises pyarrow.ArrowInvalid or ValueError where the text is none of that type's.
    """
    if pt.is_string(kind):
        return text
    if not pt.is_nested(kind):
        return _scalars(text, kind)
    # Tags repeat from row to row: each different text is read once.
    encoded = text.dictionary_encode()
    return _nested([_parsed(one) for one in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


def _scalars(text: pa.StringArray, kind: pa.DataType) -> pa.Array:
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _scalars(text, kind.storage_type))
    if pt.is_null(kind):
        return pa.nulls(len(text))
    if any(test(kind) for test in _BINARY):
        decoded = (None if one is None else base64.b64decode(one) for one in text.to_pylist())
        return pa.array(decoded, kind, size=len(text))
    return _by_way_of_another(text, kind).cast(kind)


def _by_way_of_another(text: pa.StringArray, kind: pa.DataType) -> pa.Array:
    """Return what Arrow can cast to the type, where it has no cast from text."""
    if pt.is_duration(kind):
        return text.cast(pa.int64())
    if pt.is_float16(kind):
        return text.cast(pa.float32())
    if pt.is_time(kind):
        return pc.binary_join_element_wise("1970-01-01 ", text, "").cast(pa.timestamp(kind.unit))
    return text


def _parsed(text: str) -> Any:
    """JSON whose numbers stay text: the cast to their own type loses nothing."""
    return json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_Pairs)


def _values(found: list[Any], kind: pa.DataType) -> pa.Array:
    if pt.is_nested(kind):
        return _nested(found, kind)
    texts = [_WORDS[one] if isinstance(one, bool) else one for one in found]
    return from_text(pa.array(texts, pa.string()), kind)


def _nested(found: list[Any], kind: pa.DataType) -> pa.Array:
    missing = pa.array([one is None for one in found], pa.bool_())
    if pt.is_map(kind):
        return _maps(found, kind, missing)
    if pt.is_struct(kind):
        return _structs(found, kind, missing)
    if pt.is_fixed_size_list(kind):
        return _lists(found, pa.list_(kind.value_field), missing).cast(kind)
    return _lists(found, kind, missing)


def _lists(found: list[Any], kind: pa.DataType, missing: pa.BooleanArray) -> pa.Array:
    items = _values([item for one in found for item in one or ()], kind.value_type)
    build, offset = (pa.LargeListArray, pa.int64()) if pt.is_large_list(kind) else (pa.ListArray, pa.int32())
    return build.from_arrays(_offsets(found, offset), items, type=kind, mask=missing)


def _maps(found: list[Any], kind: pa.MapType, missing: pa.BooleanArray) -> pa.Array:
    pairs = [pair for one in found for pair in one or ()]
    keys: Iterable[Any] = (key for key, _ in pairs)
    if pt.is_nested(kind.key_type):
        keys = map(_parsed, keys)
    return pa.MapArray.from_arrays(
        _offsets(found, pa.int32()),
        _values(list(keys), kind.key_type),
        _values([item for _, item in pairs], kind.item_type),
        type=kind,
        mask=missing,
    )


def _structs(found: list[Any], kind: pa.StructType, missing: pa.BooleanArray) -> pa.Array:
    if not kind.num_fields:
        return pa.array([None if one is None else {} for one in found], kind)
    children = [_values([one and one[at][1] for one in found], field.type) for at, field in enumerate(kind)]
    return pa.StructArray.from_arrays(children, fields=list(kind), mask=missing)


def _offsets(found: list[Any], kind: pa.DataType) -> pa.Array:
    lengths = [len(one or ()) for one in found]
    return pa.array(np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))), kind)
