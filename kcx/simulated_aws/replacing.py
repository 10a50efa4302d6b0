"""Replace one attribute of moto for as long as a simulated AWS runs."""

from collections.abc import Iterator
from contextlib import contextmanager

_INHERITED = object()


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Set `owner.name` to `value`, and put back what was there, also after an error."""
    original = vars(owner).get(name, _INHERITED)  # not getattr: it would unwrap a static method
    setattr(owner, name, value)
    try:
        yield
    finally:
        if original is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, original)
