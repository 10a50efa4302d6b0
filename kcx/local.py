"""What a machine without settings makes for itself: a secret key that stays the same."""

from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.core.management.utils import get_random_secret_key


def local_secret_key(folder: Path) -> str:
    """The key kept in `folder`, made on first use and readable by its owner only."""
    path = folder / "secret_key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=folder) as new:  # readable by its owner only
            new.write(get_random_secret_key())
            new.flush()
            # Whole, or not at all; of several first starts at once the quickest makes it.
            with suppress(FileExistsError):
                path.hardlink_to(new.name)
    return path.read_text()
