"""Cursors: where a paged read goes on. Signed, so that one from elsewhere is refused and not obeyed."""

from typing import Any

from django.core import signing
from rest_framework.exceptions import ValidationError

SALT = "kcx.api.cursor.2"  # what was signed before held something else


def encode(kind: str, position: Any) -> str:
    """The text of a cursor; `position` is of what JSON holds, `kind` names the list it belongs to."""
    return signing.dumps([kind, position], salt=SALT, compress=True)


def decode(kind: str, text: str) -> Any:
    """The position in the text. Raises ValidationError (400) where KCX did not write it for this list."""
    try:
        of, position = signing.loads(text, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        of, position = None, None
    if of != kind:
        raise ValidationError({"cursor": ["This is no cursor of this list: take `next` as it was answered."]})
    return position
