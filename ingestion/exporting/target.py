"""Files that appear under their names whole, or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO


class TargetExists(Exception):
    """A file of this name is there, and it was not said that it may be replaced."""


@contextmanager
def written(targets: Sequence[Path], *, force: bool) -> Iterator[list[BinaryIO]]:
    """Open a file for each target; all get their names, in order, when the block ends without an error.

    Until then each has a temporary name in the same folder. Raises TargetExists, at the start or, where
    another program was quicker, at the end; and OSError. A temporary file does not outlive an error.
    """
    for target in targets:
        if target.exists() and not force:
            raise TargetExists(target)
    with ExitStack() as stack:
        parts = [target.with_name(f".{target.name}.{token_hex(8)}.part") for target in targets]
        files = []
        for part in parts:
            part.touch(mode=0o600, exist_ok=False)  # a bill is nobody else's to read, whatever the umask
            stack.callback(part.unlink, missing_ok=True)
            files.append(stack.enter_context(part.open("r+b")))
        yield list(files)
        for file in files:
            file.flush()
            os.fsync(file.fileno())
        for part, target in zip(parts, targets, strict=True):
            _name(part, target, force=force)


def _name(part: Path, target: Path, *, force: bool) -> None:
    if force:
        part.replace(target)
        return
    try:
        target.hardlink_to(part)  # unlike a rename it never replaces
    except FileExistsError as error:
        raise TargetExists(target) from error
