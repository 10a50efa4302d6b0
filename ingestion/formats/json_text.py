"""Nested Arrow values as compact JSON text, by string kernels over whole arrays."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from ingestion.formats.scalar_text import is_bare_number, scalar_text

_CONTROLS = "[\x00-\x1f]"
_CONTROL_CODES = [chr(code) for code in range(32)]
_ESCAPED = np.zeros(256, np.bool_)
_ESCAPED[[*range(32), ord('"'), ord("\\")]] = True


def json_text(values: pa.Array) -> pa.StringArray:
    """Return each value as JSON text, a missing one as `null`; never NULL itself.

    Object keys keep the source's order and its duplicates. Numbers are bare, but NaN and the infinities are
    strings, as are binaries (base64) and times. Non-ASCII characters stay as they are.
    """
    return pc.fill_null(_present(values), "null")


def _present(values: pa.Array) -> pa.StringArray:
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _present(values.storage)
    if pt.is_dictionary(kind):
        return _present(values.dictionary_decode())
    if pt.is_map(kind):
        return _object_of_map(values)
    if pt.is_struct(kind):
        return _object_of_struct(values)
    if pt.is_nested(kind):
        return _array_of_list(values)
    return _scalar(values)


def _scalar(values: pa.Array) -> pa.StringArray:
    text = scalar_text(values)
    if pt.is_floating(values.type):
        return pc.if_else(pc.is_finite(values), text, _quoted(text))
    return text if is_bare_number(values.type) else _quoted(escaped(text))


def escaped(text: pa.StringArray) -> pa.StringArray:
    """Escape what JSON strings may not hold: the backslash, the quote and the control characters."""
    if not _may_need_escapes(text):
        return text
    text = pc.replace_substring(text, "\\", "\\\\")
    text = pc.replace_substring(text, '"', '\\"')
    if pc.any(pc.match_substring_regex(text, _CONTROLS)).as_py():
        for control in _CONTROL_CODES:
            text = pc.replace_substring(text, control, json.dumps(control)[1:-1])
    return text


def _may_need_escapes(text: pa.StringArray) -> bool:
    """Look at the bytes themselves, which is far quicker than the kernels; a slice's neighbours count too."""
    _, _, data = text.buffers()
    return data is not None and bool(_ESCAPED[np.frombuffer(data, np.uint8)].any())


def _quoted(text: pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise('"', text, '"', "")


def _key(keys: pa.Array) -> pa.StringArray:
    if pt.is_nested(keys.type):
        return _quoted(escaped(json_text(keys)))
    return _quoted(escaped(scalar_text(keys)))


def _object_of_map(values: pa.MapArray) -> pa.StringArray:
    offsets = values.offsets.to_numpy()
    first, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    keys, items = values.keys.slice(first, count), values.items.slice(first, count)
    entries = pc.binary_join_element_wise(_key(keys), json_text(items), ":")
    return _joined(entries, offsets - first, values, "{", "}")


def _object_of_struct(values: pa.StructArray) -> pa.StringArray:
    names = [json.dumps(field.name, ensure_ascii=False) + ":" for field in values.type]
    if not names:
        return pc.if_else(values.is_valid(), "{}", pa.scalar(None, pa.string()))
    members = [
        pc.binary_join_element_wise(name, json_text(member), "")
        for name, member in zip(names, values.flatten(), strict=True)
    ]
    body = pc.binary_join_element_wise(*members, ",")
    return _masked(pc.binary_join_element_wise("{", body, "}", ""), values)


def _array_of_list(values: pa.Array) -> pa.StringArray:
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return _joined(json_text(pc.list_flatten(values)), offsets, values, "[", "]")


def _joined(
    entries: pa.Array, offsets: np.ndarray, values: pa.Array, left: str, right: str
) -> pa.StringArray:
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), entries)
    return _masked(pc.binary_join_element_wise(left, pc.binary_join(lists, ","), right, ""), values)


def _masked(text: pa.StringArray, values: pa.Array) -> pa.StringArray:
    return pc.if_else(values.is_valid(), text, pa.scalar(None, pa.string()))
