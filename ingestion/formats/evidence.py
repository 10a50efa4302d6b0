"""What a person may see of a bad place in a client's file: its shape, without its values."""

import codecs
import unicodedata

MOST_CHARACTERS = 200
_BEFORE, _AFTER = 80, 120
_SHAPES = {"L": "a", "M": "a", "N": "9"}


def bad_place(text: bytes, at: int, before: int = 0) -> dict[str, int | str]:
    """Return the place of byte `at` in the decompressed text, `before` bytes of which are not in `text`."""
    return {"text_byte": before + at, "excerpt": excerpt(text, at)}


def large_value(value: bytes | memoryview) -> dict[str, int | str]:
    """Return the size of a value of text, and how it begins."""
    return {"value_bytes": len(value), "excerpt": excerpt(bytes(value[:MOST_CHARACTERS]))}


def excerpt(data: bytes, at: int = 0) -> str:
    """Return the text around byte `at`, masked; bytes that are not UTF-8 are shown as \\xNN."""
    start = max(at - _BEFORE, 0)
    while start < at and 0x80 <= data[start] < 0xC0:
        start += 1  # never from within a character
    window = data[start : at + _AFTER]
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    return masked(decoder.decode(window, final=at + _AFTER >= len(data)))


def masked(text: str) -> str:
    """Return the text with a for every letter and 9 for every digit, at most MOST_CHARACTERS long.

    Control characters and backslashes are shown escaped, all others as they are.
    """
    return "".join(map(_masked_character, text[:MOST_CHARACTERS]))[:MOST_CHARACTERS]


def _masked_character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte that surrogateescape kept
        return f"\\x{ord(character) - 0xDC00:02x}"
    shape = _SHAPES.get(unicodedata.category(character)[0])
    if shape is not None:
        return shape
    if character == "\\" or not character.isprintable():
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character
