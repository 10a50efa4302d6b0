"""Arrow values that are not nested as text from which the very value can be had back."""

from base64 import b64encode

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

_SUPPORTED = (
    pt.is_null,
    pt.is_boolean,
    pt.is_integer,
    pt.is_floating,
    pt.is_decimal,
    pt.is_temporal,
    pt.is_string,
    pt.is_large_string,
    pt.is_string_view,
)
_BINARY = (pt.is_binary, pt.is_large_binary, pt.is_binary_view, pt.is_fixed_size_binary)


class OutOfRangeError(ValueError):
    """A date or time is too far off for Arrow to write it."""


def is_scalar(kind: pa.DataType) -> bool:
    """Say whether `scalar_text` knows the type."""
    return any(test(kind) for test in (*_SUPPORTED, *_BINARY)) and not pt.is_interval(kind)


def is_bare_number(kind: pa.DataType) -> bool:
    """Say whether the text is a JSON number, boolean or null as it stands."""
    return any(
        test(kind) for test in (pt.is_null, pt.is_boolean, pt.is_integer, pt.is_decimal, pt.is_duration)
    )


def scalar_text(values: pa.Array) -> pa.StringArray:
    """Return the values as text: doubles in shortest round-trip form, binaries as base64; NULL stays NULL."""
    kind = values.type
    if pt.is_string(kind):
        return values
    if any(test(kind) for test in _BINARY):
        encoded = (None if one is None else b64encode(one).decode() for one in values.to_pylist())
        return pa.array(encoded, pa.string(), size=len(values))
    if pt.is_float16(kind):
        values = values.cast(pa.float32())
    if pt.is_timestamp(kind) or pt.is_date(kind):
        return _moment(values)
    return pc.cast(values, pa.string())


def _moment(values: pa.Array) -> pa.StringArray:
    """Write zoned timestamps in UTC: the instant is the value, and no time zone database is needed."""
    zoned = pt.is_timestamp(values.type) and values.type.tz is not None
    plain = values.view(pa.timestamp(values.type.unit)) if zoned else values
    text = pc.cast(plain, pa.string())
    if pc.any(pc.starts_with(text, "<")).as_py():  # "<value out of range: ...>"
        raise OutOfRangeError
    return pc.binary_join_element_wise(text, "Z", "") if zoned else text
