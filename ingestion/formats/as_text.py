"""Any Arrow column as text, without loss; what has no such text is refused by name."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from ingestion.file_errors import BadParquet, NotUtf8, UnsupportedType
from ingestion.formats.evidence import excerpt
from ingestion.formats.json_text import json_text
from ingestion.formats.scalar_text import OutOfRangeError, is_scalar, scalar_text

_LISTS = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view)


def refuse_unsupported(schema: pa.Schema) -> None:
    """Raise UnsupportedType for the first column whose type has no text."""
    for field in schema:
        if not _is_supported(field.type):
            raise UnsupportedType(f"Column {field.name!r} has the type {field.type}.", column=field.name)


def _is_supported(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _is_supported(kind.storage_type)
    if pt.is_dictionary(kind):
        return _is_supported(kind.value_type)
    if pt.is_map(kind):
        return _is_supported(kind.key_type) and _is_supported(kind.item_type)
    if pt.is_struct(kind):
        return all(_is_supported(field.type) for field in kind)
    if any(test(kind) for test in _LISTS):
        return _is_supported(kind.value_type)
    return is_scalar(kind)


def as_text(values: pa.Array, name: str, rows_before: int) -> pa.StringArray:
    """Return a column as text; `name` and `rows_before` say where an error is.

    Raises NotUtf8, and BadParquet for a moment beyond the years Arrow can write.
    """
    try:
        return _checked(values)
    except (pa.ArrowInvalid, OutOfRangeError) as error:
        row = rows_before + _first_refused(values)
        if "UTF8" in str(error):
            sentence = f"Row {row} is not UTF-8, in column {name!r}."
            evidence = _evidence(values, row - rows_before - 1)
            raise NotUtf8(sentence, row=row, column=name, evidence=evidence) from error
        sentence = f"Row {row} holds a value that cannot be written, in column {name!r}."
        raise BadParquet(sentence, row=row, column=name) from error


def _evidence(values: pa.Array, index: int) -> dict[str, int | str]:
    plain = _plain(values)
    if not (pt.is_string(plain.type) or pt.is_large_string(plain.type)):
        return {}
    return {"excerpt": excerpt(plain.take([index]).cast(pa.large_binary())[0].as_py())}


def _checked(values: pa.Array) -> pa.StringArray:
    # Written out first: a row group's dictionary comes with each of its batches.
    plain = _plain(values)
    plain.validate(full=True)
    return _text(plain)


def _plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pt.is_dictionary(values.type) else values


def _first_refused(values: pa.Array) -> int:
    """Find the first bad row, one row at a time; only a file that is refused pays for it."""
    plain = _plain(values)
    for row in range(len(plain)):
        try:
            _checked(plain.take([row]))
        except (pa.ArrowInvalid, OutOfRangeError):
            return row + 1
    return 1


def _text(values: pa.Array) -> pa.StringArray:
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return _text(values.storage)
    if pt.is_nested(kind):
        return pc.if_else(values.is_valid(), json_text(values), pa.scalar(None, pa.string()))
    return scalar_text(values)
