"""What a machine without settings makes for itself: a secret key that stays the same."""

from pathlib import Path

from django.core.management.utils import get_random_secret_key


def local_secret_key(folder: Path) -> str:
    """The key kept in `folder`, made on first use and readable by its owner only."""
    path = folder / "secret_key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(get_random_secret_key())
    return path.read_text()
